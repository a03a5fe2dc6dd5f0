// Command rio is an echo or HTTP server on the listener of
// github.com/brickingsoft/rio, with its default settings.
package main

import (
	"log"
	"net"

	"github.com/brickingsoft/rio"

	"github.com/netring-go/netring/bench/peers/child"
)

func main() {
	kind := child.Kind()
	ln, err := rio.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(child.Serve(ln, ln.Addr().(*net.TCPAddr).Port, kind))
}
