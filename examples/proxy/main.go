// Proxy forwards TCP connections to another address. When one side has sent everything,
// the proxy tells the other side and keeps forwarding the answer. Between connections of
// netring, io.Copy moves the bytes by splice(2), without passing through the program.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"time"

	"github.com/netring-go/netring/examples/internal/listen"
)

// dialTimeout bounds how long a client waits for the proxy to reach the server.
const dialTimeout = 3 * time.Second

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:7009")
	to := flag.String("to", "127.0.0.1:8080", "`address` to forward connections to")
	flag.Parse()
	if err := run(flags, *to); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags, to string) error {
	if _, _, err := net.SplitHostPort(to); err != nil {
		return fmt.Errorf("-to is %q; use host:port: %w", to, err)
	}
	ln, err := flags.Listen() // netring.Listen("tcp", addr) in your program
	if err != nil {
		return err
	}
	p := proxy{to: to, dial: flags.Dial} // netring.Dial
	return flags.Run(listen.NewConns(p.serve), fmt.Sprintf("curl -fsS http://%s/", ln.Addr()), ln)
}

// stream has the methods beyond net.Conn that the proxy needs. Connections of netring and
// of net have them.
type stream interface {
	net.Conn
	CloseWrite() error
	SetLinger(sec int) error
}

type proxy struct {
	to   string
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (p proxy) serve(ctx context.Context, c net.Conn) {
	client := c.(stream)
	server, err := p.connect(ctx)
	if err != nil {
		log.Printf("%s: %v", client.RemoteAddr(), err)
		abort(client)
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { abort(client, server) })()

	var wg sync.WaitGroup
	wg.Go(func() { forward(client, server) })
	wg.Go(func() { forward(server, client) })
	wg.Wait()
}

func (p proxy) connect(ctx context.Context) (stream, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := p.dial(ctx, "tcp", p.to)
	if err != nil {
		return nil, err
	}
	return c.(stream), nil
}

// forward sends to dst what it receives from src, and then that this was all.
func forward(dst, src stream) {
	_, err := io.Copy(dst, src)
	if err == nil {
		err = dst.CloseWrite()
	}
	if err != nil {
		abort(dst, src) // also ends the forwarding in the other direction
	}
}

// abort resets connections. After a mere Close, the peers could take what they have
// received for everything.
func abort(conns ...stream) {
	for _, c := range conns {
		// An error means that the connection is closed already.
		_ = c.SetLinger(0)
		_ = c.Close()
	}
}
