// Echo returns to each client what the client sends. It runs one goroutine per
// connection, as with net.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/netring-go/netring/examples/internal/listen"
)

// bufferSize is the most that one read takes from a connection.
const bufferSize = 64 << 10

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:7007")
	flag.Parse()
	if err := run(flags); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags) error {
	ln, err := flags.Listen() // netring.Listen("tcp", addr) in your program
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	return flags.Run(listen.NewConns(echo), fmt.Sprintf("nc %s %s", host, port), ln)
}

func echo(_ context.Context, c net.Conn) {
	buf := make([]byte, bufferSize)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if err != io.EOF && !errors.Is(err, net.ErrClosed) {
				log.Printf("%s: %v", c.RemoteAddr(), err)
			}
			return
		}
	}
}
