// Package child is what the peers' servers have in common: bench's protocol with its
// servers, see bench/internal/child. They print their port and exit when their standard
// input ends.
package child

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
)

// Kind is the kind of server that is asked for, one of those given. It must be called
// first.
func Kind(kinds ...string) string {
	log.SetFlags(0)
	if len(os.Args) != 2 || !slices.Contains(kinds, os.Args[1]) {
		log.Fatalf("arguments %q: want one of %q", os.Args[1:], kinds)
	}
	return os.Args[1]
}

// Serving says that connections to port are accepted from now on.
func Serving(port int) {
	fmt.Println(port)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
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
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// Hello answers an HTTP request as bench's own servers do. It says how long the
// answer is, which net/http finds out itself, but not every server.
func Hello(w http.ResponseWriter, _ *http.Request) {
	const body = "Hello, World!\n"
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	// The load generator hangs up in mid-answer at the end of a turn.
	_, _ = io.WriteString(w, body)
}

// Serve serves connections of ln, which has taken port, with an echo or HTTP server.
func Serve(ln net.Listener, port int, kind string) error {
	Serving(port)
	if kind == "http" {
		return http.Serve(ln, http.HandlerFunc(Hello))
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go echo(c)
	}
}

// echo sends back what it reads. The load generator hangs up at the end of a
// turn, so an error means no more than that.
func echo(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		// Some of these connections write less than they are given, without an error.
		for rest := buf[:n]; len(rest) > 0 && err == nil; rest = rest[n:] {
			n, err = c.Write(rest)
		}
		if err != nil {
			return
		}
	}
}
