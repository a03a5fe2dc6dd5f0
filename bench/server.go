package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/netring-go/netring"
)

// runServer is a server's process. It prints its port and serves until in ends.
func runServer(impl, kind string, in io.Reader) error {
	ln, err := listenOn(impl)
	if err != nil {
		return err
	}
	if _, err := fmt.Println(ln.Addr().(*net.TCPAddr).Port); err != nil {
		return err
	}
	go func() {
		_, err := io.Copy(io.Discard, in)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: server:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}()
	switch kind {
	case "http":
		return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("Hello, World!\n"))
		}))
	case "echo":
		return serveEcho(ln)
	case "file":
		return serveFile(ln)
	case "proxy":
		return serveProxy(ln)
	}
	return fmt.Errorf("unknown server kind %q", kind)
}

func listenOn(impl string) (net.Listener, error) {
	const addr = "127.0.0.1:0"
	engines := map[string]netring.Engine{"uring": netring.EngineURing, "syscall": netring.EngineSyscall}
	if impl == "net" {
		return net.Listen("tcp", addr)
	}
	engine, ok := engines[impl]
	if !ok {
		return nil, fmt.Errorf("unknown implementation %q", impl)
	}
	p, err := netring.NewPoller(netring.Config{Engine: engine})
	if err != nil {
		return nil, err
	}
	lc := netring.ListenConfig{Poller: p}
	return lc.Listen(context.Background(), "tcp", addr)
}

func serveEcho(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return // the load generator hangs up in mid-message at the end of a turn
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}
