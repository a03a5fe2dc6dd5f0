// Command nbio is an echo or HTTP server on github.com/lesismal/nbio, with an
// event loop for each CPU.
package main

import (
	"log"
	"net"
	"net/http"
	"runtime"
	"strconv"

	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"

	"github.com/netring-go/netring/bench/peers/child"
)

const addr = "127.0.0.1:0"

func main() {
	kind := child.Kind()
	logging.SetLevel(logging.LevelError)
	var taken string
	var err error
	switch kind {
	case "echo":
		taken, err = startEcho()
	case "http":
		taken, err = startHTTP()
	default:
		log.Fatalf("no server of kind %q", kind)
	}
	if err != nil {
		log.Fatal(err)
	}
	_, port, err := net.SplitHostPort(taken)
	if err != nil {
		log.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		log.Fatal(err)
	}
	child.Serving(n)
	select {}
}

// startEcho returns the address that it listens on.
func startEcho() (string, error) {
	e := nbio.NewEngine(nbio.Config{Network: "tcp", Addrs: []string{addr}, NPoller: runtime.GOMAXPROCS(0)})
	e.OnData(func(c *nbio.Conn, data []byte) {
		// What the socket does not take, Write copies. If it fails, nbio closes the
		// connection, as it does when the load generator hangs up.
		_, _ = c.Write(data)
	})
	if err := e.Start(); err != nil {
		return "", err
	}
	return e.Addrs[0], nil
}

// startHTTP returns the address that it listens on.
func startHTTP() (string, error) {
	e := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{addr}, NPoller: runtime.GOMAXPROCS(0), MaxLoad: 1 << 20,
		Handler: http.HandlerFunc(child.Hello),
	})
	if err := e.Start(); err != nil {
		return "", err
	}
	return e.AddrConfigs[0].Addr, nil
}
