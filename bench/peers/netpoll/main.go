// Command netpoll is an echo server on github.com/cloudwego/netpoll, with its
// default number of event loops.
package main

import (
	"context"
	"log"
	"net"

	"github.com/cloudwego/netpoll"

	"github.com/netring-go/netring/bench/peers/child"
)

// echo sends back what has arrived. Its error is ignored by netpoll, which closes
// the connection itself when the load generator hangs up.
func echo(_ context.Context, c netpoll.Connection) error {
	r, w := c.Reader(), c.Writer()
	p, err := r.Next(r.Len())
	if err != nil {
		return err
	}
	// p may be used until Release; Flush returns when it has been sent.
	if _, err := w.WriteBinary(p); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return r.Release()
}

func main() {
	if kind := child.Kind(); kind != "echo" {
		log.Fatalf("no server of kind %q", kind)
	}
	ln, err := netpoll.CreateListener("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	loop, err := netpoll.NewEventLoop(echo)
	if err != nil {
		log.Fatal(err)
	}
	child.Serving(ln.Addr().(*net.TCPAddr).Port)
	log.Fatal(loop.Serve(ln))
}
