// Package child is the peers' side of bench/internal/child: a server prints its port and exits when
// its standard input ends.
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

// Kind returns the kind of server in the arguments. It ends the process if that is none of kinds.
func Kind(kinds ...string) string {
	log.SetFlags(0)
	if len(os.Args) != 2 || !slices.Contains(kinds, os.Args[1]) {
		log.Fatalf("the arguments are %q; use one of %q", os.Args[1:], kinds)
	}
	return os.Args[1]
}

// Serving tells bench that the server accepts connections on port.
func Serving(port int) {
	fmt.Println(port)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
}

// FreePort returns an unused port of 127.0.0.1, for libraries that do not tell which port they use.
func FreePort() int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// Hello answers an HTTP request like bench's own servers. Not every library sets Content-Length.
func Hello(w http.ResponseWriter, _ *http.Request) {
	const body = "Hello, World!\n"
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	// It fails when the load generator hangs up at the end of a turn.
	_, _ = io.WriteString(w, body)
}

// Serve serves the connections of ln, which listens on port, with an echo or HTTP server.
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

// echo sends back what it reads. An error means that the load generator hung up.
func echo(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		// Some libraries' Write returns early without an error.
		for rest := buf[:n]; len(rest) > 0 && err == nil; rest = rest[n:] {
			n, err = c.Write(rest)
		}
		if err != nil {
			return
		}
	}
}
