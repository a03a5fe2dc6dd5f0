// Command go-uring is an echo or HTTP server on the listener of github.com/godzie44/go-uring, with
// a ring for each CPU.
package main

import (
	"fmt"
	"log"
	"net"
	"runtime"

	uringnet "github.com/godzie44/go-uring/net"
	"github.com/godzie44/go-uring/reactor"
	"github.com/godzie44/go-uring/uring"

	"github.com/netring-go/netring/bench/peers/child"
)

func main() {
	const entries = 1 << 12 // of a ring
	kind, port, n := child.Kind("echo", "http"), child.FreePort(), runtime.GOMAXPROCS(0)
	rings, closeRings, err := uring.CreateMany(n, entries, n)
	if err != nil {
		log.Fatal(err)
	}
	r, err := reactor.NewNet(rings)
	if err != nil {
		log.Fatal(err)
	}
	ln, err := uringnet.NewListener(net.ListenConfig{}, fmt.Sprintf("127.0.0.1:%d", port), r)
	if err != nil {
		log.Fatal(err)
	}
	err = child.Serve(ln, port, kind)
	log.Fatal(err, closeRings())
}
