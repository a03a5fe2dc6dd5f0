// Redis is a key-value server in memory that speaks the protocol of Redis, with
// tidwall/redcon over netring. It knows PING, SET, GET, DEL and QUIT.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"sync"

	"github.com/tidwall/redcon"

	"github.com/netring-go/netring/examples/internal/listen"
)

// coalesce is the size of each connection's write buffer. redcon answers all commands of a
// pipeline that it has read with one Write. With the buffer, the Writes for many
// connections leave in one batch.
const coalesce = 64 << 10

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:6380")
	flag.Parse()
	if err := run(flags); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags) error {
	flags.Coalesce = coalesce // netring.ListenConfig{Coalesce: coalesce} in your program
	ln, err := flags.Listen()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	return flags.Run(newServer(), fmt.Sprintf("redis-cli -h %s -p %s set greeting hello", host, port), ln)
}

// server is a redcon.Server that waits for its connections.
type server struct {
	*redcon.Server
	serving chan struct{} // closed when Serve has returned, and with it the connections were closed
	conns   sync.WaitGroup
}

func newServer() *server {
	s := &server{serving: make(chan struct{})}
	st := newStore()
	s.Server = redcon.NewServerNetwork("tcp", "", st.handle,
		func(redcon.Conn) bool { s.conns.Add(1); return true },
		func(redcon.Conn, error) { s.conns.Done() })
	return s
}

// Serve serves until Shutdown.
func (s *server) Serve(ln net.Listener) error {
	defer close(s.serving)
	return s.Server.Serve(ln)
}

// Shutdown ends Serve, which closes the connections.
func (s *server) Shutdown(ctx context.Context) error {
	if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	ended := make(chan struct{})
	go func() {
		<-s.serving // accepts no more
		s.conns.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
