// Command nbio is an echo or HTTP server on github.com/lesismal/nbio, with an event loop for each
// CPU.
package main

import (
	"fmt"
	"log"
	"net/http"
	"runtime"

	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"

	"github.com/netring-go/netring/bench/peers/child"
)

func main() {
	kind, port, n := child.Kind("echo", "http"), child.FreePort(), runtime.GOMAXPROCS(0)
	logging.SetLevel(logging.LevelError)
	addrs := []string{fmt.Sprintf("127.0.0.1:%d", port)}
	var err error
	if kind == "http" {
		err = nbhttp.NewEngine(nbhttp.Config{
			Network: "tcp", Addrs: addrs, NPoller: n, MaxLoad: 1 << 20, Handler: http.HandlerFunc(child.Hello),
		}).Start()
	} else {
		e := nbio.NewEngine(nbio.Config{Network: "tcp", Addrs: addrs, NPoller: n})
		e.OnData(func(c *nbio.Conn, data []byte) {
			// Write copies what the socket does not take. If Write fails, nbio closes c.
			_, _ = c.Write(data)
		})
		err = e.Start()
	}
	if err != nil {
		log.Fatal(err)
	}
	child.Serving(port)
	select {}
}
