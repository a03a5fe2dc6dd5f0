//go:build unix

// Systemd serves sockets that systemd listens on. systemd starts the program when the
// first client connects, and can restart it without refusing a client. Started by hand,
// the program listens itself.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/netring-go/netring/examples/internal/listen"
)

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:8082")
	flag.Parse()
	if err := run(flags); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags) error {
	files, err := inherited()
	if err != nil {
		return err
	}
	names := make(map[net.Listener]string)
	var lns []net.Listener
	for _, f := range files {
		ln, err := take(flags, f)
		if err != nil {
			return err
		}
		lns, names[ln] = append(lns, ln), f.Name()
	}
	if len(lns) == 0 {
		ln, err := flags.Listen()
		if err != nil {
			return err
		}
		lns, names[ln] = append(lns, ln), "of its own"
	}
	srv := &http.Server{
		Handler:           http.HandlerFunc(hello),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(ln net.Listener) context.Context {
			return context.WithValue(context.Background(), socketName{}, names[ln])
		},
	}
	return flags.Run(srv, try(lns[0].Addr()), lns...)
}

// take makes a listener of an inherited descriptor.
func take(flags *listen.Flags, f *os.File) (net.Listener, error) {
	ln, err := flags.FileListener(f) // netring.FileListener(f) in your program
	if err != nil {
		return nil, fmt.Errorf("descriptor %d, %q: %w", f.Fd(), f.Name(), err)
	}
	// The listener has a duplicate. Closing f keeps the socket from programs that this one
	// may start.
	return ln, f.Close()
}

// socketName is the key of the socket's name in a request's context.
type socketName struct{}

func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "Hello from the socket %v!\n", r.Context().Value(socketName{}))
}

// try returns a command that sends a request to addr.
func try(addr net.Addr) string {
	if addr.Network() == "unix" {
		return fmt.Sprintf("curl -fsS --unix-socket '%s' http://localhost/", addr)
	}
	return fmt.Sprintf("curl -fsS http://%s/", addr)
}
