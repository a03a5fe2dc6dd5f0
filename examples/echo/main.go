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
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	ln, what, done, err := flags.Listen() // netring.Listen("tcp", addr) in your program
	if err != nil {
		return err
	}
	fmt.Println(what)

	var s server
	served := make(chan error, 1)
	go func() { served <- s.serve(ln) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		err = ln.Close()
		if serr := <-served; !errors.Is(serr, net.ErrClosed) {
			err = errors.Join(err, serr)
		}
	}
	stop() // a second signal ends the program at once
	s.finish(time.Now().Add(time.Second))
	if err := errors.Join(err, done()); err != nil {
		return err
	}
	fmt.Println("shut down")
	return nil
}

// server knows its connections, so that finish can end them.
type server struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

func (s *server) serve(ln net.Listener) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				time.Sleep(10 * time.Millisecond) // some connections may close meanwhile
				continue
			}
			return err
		}
		s.mu.Lock()
		if s.conns == nil {
			s.conns = make(map[net.Conn]bool)
		}
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() { s.echo(c) })
	}
}

func (s *server) echo(c net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.Close()
	}()
	buf := make([]byte, bufferSize)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
				log.Printf("%s: %v", c.RemoteAddr(), err)
			}
			return
		}
	}
}

// finish waits until the connections have ended, or ends them at the deadline.
func (s *server) finish(deadline time.Time) {
	s.mu.Lock()
	for c := range s.conns {
		c.SetDeadline(deadline)
	}
	s.mu.Unlock()
	s.wg.Wait()
}
