// Websocket returns each WebSocket message to its sender, with coder/websocket over
// net/http and netring. When it ends, it says so to its clients.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/netring-go/netring/examples/internal/listen"
)

// maxMessage is the most bytes that a message may have.
const maxMessage = 4 << 20

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:8084")
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
	return flags.Run(newServer(), fmt.Sprintf("websocat ws://%s/", ln.Addr()), ln)
}

// server is an http.Server that knows its WebSocket connections. An http.Server does not:
// to it, they are hijacked, and its Shutdown does not wait for them.
type server struct {
	*http.Server

	mu     sync.Mutex
	conns  map[*websocket.Conn]bool
	closed bool
	wg     sync.WaitGroup // of the connections
}

func newServer() *server {
	s := &server{conns: make(map[*websocket.Conn]bool)}
	s.Server = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second}
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		log.Printf("%s: %v", r.RemoteAddr, err) // Accept has answered the request
		return
	}
	defer c.CloseNow()
	if !s.add(c) {
		c.Close(websocket.StatusGoingAway, "the server ends")
		return
	}
	defer s.remove(c)
	c.SetReadLimit(maxMessage)
	if err := echo(r.Context(), c); websocket.CloseStatus(err) == -1 && !errors.Is(err, net.ErrClosed) {
		log.Printf("%s: %v", r.RemoteAddr, err)
	}
}

// echo returns messages until the connection ends.
func echo(ctx context.Context, c *websocket.Conn) error {
	for {
		kind, in, err := c.Reader(ctx)
		if err != nil {
			return err
		}
		out, err := c.Writer(ctx, kind)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
}

// add reports whether c may be served.
func (s *server) add(c *websocket.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = true
	s.wg.Add(1)
	return true
}

func (s *server) remove(c *websocket.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.wg.Done()
}

// Shutdown tells the clients that the server goes away, and waits until they have
// answered or ctx is done.
func (s *server) Shutdown(ctx context.Context) error {
	err := s.Server.Shutdown(ctx)
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		// An error means that the client does not answer, or is gone.
		go func() { _ = c.Close(websocket.StatusGoingAway, "the server ends") }()
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}
