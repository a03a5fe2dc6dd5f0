package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
)

// The kinds of servers.
const (
	serverHTTP      = "http"
	serverWork      = "http-work"
	serverLightWork = "http-light-work"
	serverTLS       = "https"
	serverReverse   = "reverse-proxy"
	serverGRPC      = "grpc"
	serverEcho      = "echo"
	serverBroadcast = "broadcast"
	serverFile      = "file"
	serverProxy     = "proxy"
	serverSource    = "source"
	serverSink      = "sink"
	serverLease     = "echo-lease"
	serverRead      = "echo-4k"
)

// collectGarbage, as a line of its own, asks a server to collect its garbage and
// give free memory back to the system. It answers with collected.
const (
	collectGarbage = "gc"
	collected      = "collected"
)

// runServer is a server's process. It prints its port and serves until in ends.
// file is what a file server sends.
func runServer(impl, kind, file string, in io.Reader) error {
	s, err := newStack(impl)
	if err != nil {
		return err
	}
	ln, err := s.listen()
	if err != nil {
		return err
	}
	if _, err := fmt.Println(ln.Addr().(*net.TCPAddr).Port); err != nil {
		return err
	}
	go func() {
		if err := obey(in); err != nil {
			fmt.Fprintln(os.Stderr, "bench: server:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}()
	switch kind {
	case serverHTTP:
		return serveHTTP(ln)
	case serverWork:
		return serveWork(ln, 128<<10)
	case serverLightWork:
		return serveWork(ln, 32<<10)
	case serverTLS:
		return serveTLS(ln)
	case serverGRPC:
		return serveGRPC(ln)
	case serverReverse:
		return serveReverse(s, ln)
	case serverEcho:
		return serve(ln, func(c net.Conn) { echo(c, 64<<10) })
	case serverRead:
		return serve(ln, func(c net.Conn) { echo(c, 4<<10) })
	case serverLease:
		return serve(ln, echoLease)
	case serverBroadcast:
		var h hub
		return serve(ln, h.serve)
	case serverFile:
		return serveFile(ln, file)
	case serverProxy:
		return serveProxy(ln)
	case serverSource:
		return serve(ln, source)
	case serverSink:
		return serve(ln, sink)
	}
	return fmt.Errorf("unknown server kind %q", kind)
}

// obey does what the parent asks for until in ends.
func obey(in io.Reader) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if lines.Text() != collectGarbage {
			return fmt.Errorf("unknown request %q", lines.Text())
		}
		debug.FreeOSMemory()
		if _, err := fmt.Println(collected); err != nil {
			return err
		}
	}
	return lines.Err()
}

// serve runs f for each connection, on a goroutine of its own, and closes it then.
func serve(ln net.Listener, f func(net.Conn)) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			f(c)
		}()
	}
}

// echo sends back what it reads into a buffer of that size. The load generator hangs up in mid-message
// at the end of a turn, so an error means no more than that.
func echo(c net.Conn, size int) {
	buf := make([]byte, size)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
