// Command rio is an echo or HTTP server on the listener of
// github.com/brickingsoft/rio, with its default settings. It needs a limit of
// 65535 file descriptors (RLIMIT_NOFILE).
package main

import (
	"fmt"
	"log"
	"syscall"

	"github.com/brickingsoft/rio"

	"github.com/netring-go/netring/bench/peers/child"
)

func main() {
	kind, port := child.Kind("echo", "http"), child.FreePort() // the listener does not say which it chose
	ln, err := rio.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		var limit syscall.Rlimit
		_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) // then it is 0
		log.Fatalf("%v (it registers 65535 descriptors with io_uring and does not check whether it may; RLIMIT_NOFILE is %d)", err, limit.Max)
	}
	log.Fatal(child.Serve(ln, port, kind))
}
