// Command rio is an echo or HTTP server on the listener of github.com/brickingsoft/rio, with its
// default settings. It needs an RLIMIT_NOFILE of 65535.
package main

import (
	"fmt"
	"log"
	"syscall"

	"github.com/brickingsoft/rio"

	"github.com/netring-go/netring/bench/peers/child"
)

func main() {
	kind, port := child.Kind("echo", "http"), child.FreePort()
	ln, err := rio.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		var limit syscall.Rlimit
		_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) // if it fails, limit is 0
		log.Fatalf("%v; RLIMIT_NOFILE is %d, use at least 65535", err, limit.Max)
	}
	log.Fatal(child.Serve(ln, port, kind))
}
