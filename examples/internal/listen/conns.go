package listen

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// lastWords is how long a connection may live after Shutdown.
const lastWords = time.Second

// Conns is a Server that runs one goroutine per connection, as servers do with net.
type Conns struct {
	// Handle serves a connection until Read or Write fails. Conns closes the connection
	// when Handle returns.
	Handle func(net.Conn)

	mu       sync.Mutex
	lns      []net.Listener
	conns    map[net.Conn]bool
	deadline time.Time // of all connections, once Shutdown was called
	wg       sync.WaitGroup
}

var _ Server = (*Conns)(nil)

// Serve implements Server.
func (s *Conns) Serve(ln net.Listener) error {
	if err := s.begin(ln); err != nil {
		return err
	}
	defer s.wg.Done()
	for {
		c, err := ln.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				time.Sleep(10 * time.Millisecond) // some connections may close meanwhile
				continue
			}
			return err
		}
		s.add(c)
		s.wg.Go(func() {
			defer s.remove(c)
			s.Handle(c)
		})
	}
}

// begin makes Shutdown close ln and wait for Serve.
func (s *Conns) begin(ln net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.deadline.IsZero() {
		return net.ErrClosed
	}
	s.lns = append(s.lns, ln)
	s.wg.Add(1)
	return nil
}

func (s *Conns) add(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.conns = make(map[net.Conn]bool)
	}
	s.conns[c] = true
	c.SetDeadline(s.deadline)
}

func (s *Conns) remove(c net.Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	c.Close()
}

// Shutdown implements Server. It ends the connections that do not end by themselves.
func (s *Conns) Shutdown(ctx context.Context) error {
	err := s.expire()
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

// expire closes the listeners and gives all connections a deadline. It does nothing on
// the second call.
func (s *Conns) expire() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.deadline.IsZero() {
		return nil
	}
	s.deadline = time.Now().Add(lastWords)
	for c := range s.conns {
		c.SetDeadline(s.deadline)
	}
	var errs []error
	for _, ln := range s.lns {
		errs = append(errs, ln.Close())
	}
	return errors.Join(errs...)
}
