// Package child is what the peers' servers have in common: how they are started
// and ended.
package child

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
)

// Kind is the kind of server that is asked for, "echo" or "http". It must be called
// first.
func Kind() string {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatalf("want one argument, not %d: echo or http", len(os.Args)-1)
	}
	return os.Args[1]
}

// Serving says that connections to port are accepted from now on, and makes the
// process exit when its standard input ends.
func Serving(port int) {
	if _, err := fmt.Println(port); err != nil {
		log.Fatal(err)
	}
	go func() {
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			log.Fatal(err)
		}
		os.Exit(0)
	}()
}

// FreePort returns a port of 127.0.0.1 that nobody uses at the moment, for
// libraries that do not say which one they took.
func FreePort() int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		log.Fatal(err)
	}
	return ln.Addr().(*net.TCPAddr).Port
}

const helloBody = "Hello, World!\n"

// Hello answers an HTTP request as bench's own servers do. It says how long the
// answer is, which net/http finds out itself, but not every server.
func Hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(len(helloBody)))
	// The load generator hangs up in mid-answer at the end of a turn.
	_, _ = io.WriteString(w, helloBody)
}

// Serve serves connections of ln, which has taken port, with a server of that
// kind.
func Serve(ln net.Listener, port int, kind string) error {
	Serving(port)
	switch kind {
	case "http":
		return http.Serve(ln, http.HandlerFunc(Hello))
	case "echo":
		return serveEcho(ln)
	}
	return fmt.Errorf("no server of kind %q", kind)
}

func serveEcho(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			echo(c)
		}()
	}
}

// echo sends back what it reads. The load generator hangs up at the end of a
// turn, so an error means no more than that.
func echo(c net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		// Some of these connections write less than they are given, without an error.
		for rest := buf[:n]; len(rest) > 0; {
			n, err := c.Write(rest)
			if err != nil {
				return
			}
			rest = rest[n:]
		}
	}
}
