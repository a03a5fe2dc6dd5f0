// Command netpoll is an echo server on github.com/cloudwego/netpoll, with its default number of
// event loops.
package main

import (
	"context"
	"log"
	"net"

	"github.com/cloudwego/netpoll"

	"github.com/netring-go/netring/bench/peers/child"
)

// echo sends back what has arrived. netpoll ignores its error, and closes the connection when the
// load generator hangs up.
func echo(_ context.Context, c netpoll.Connection) error {
	r, w := c.Reader(), c.Writer()
	p, err := r.Next(r.Len())
	if err == nil {
		_, err = w.WriteBinary(p) // p is valid until Release
	}
	if err == nil {
		err = w.Flush() // returns when p has been sent
	}
	if err != nil {
		return err
	}
	return r.Release()
}

func main() {
	child.Kind("echo")
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
