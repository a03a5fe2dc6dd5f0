package listen

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// lastWords is how long a connection may outlive its listener.
const lastWords = time.Second

// Conns is a Server that runs one goroutine per connection, as servers do with net.
type Conns struct {
	handle func(context.Context, net.Conn)

	ctx    context.Context
	cancel context.CancelFunc // when the connections must end

	mu     sync.Mutex
	lns    []net.Listener
	conns  map[net.Conn]bool
	closed bool // no more listeners
	wg     sync.WaitGroup
}

var _ Server = (*Conns)(nil)

// NewConns returns a Server that calls handle for each connection. Conns closes the
// connection when handle returns. When handle must return, Conns closes the connection,
// too, and ends the context.
func NewConns(handle func(context.Context, net.Conn)) *Conns {
	s := &Conns{handle: handle, conns: make(map[net.Conn]bool)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Serve implements Server.
func (s *Conns) Serve(ln net.Listener) error {
	if err := s.begin(ln); err != nil {
		return err
	}
	defer s.wg.Done()
	for {
		c, err := ln.Accept()
		if err != nil {
			if temporary(err) {
				time.Sleep(10 * time.Millisecond) // some connections may close meanwhile
				continue
			}
			return err
		}
		s.add(c)
		s.wg.Go(func() {
			defer s.remove(c)
			s.handle(s.ctx, c)
		})
	}
}

// temporary reports whether an error of Accept is a lack of descriptors or memory.
func temporary(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// begin makes Shutdown close ln and wait for Serve.
func (s *Conns) begin(ln net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.lns = append(s.lns, ln)
	s.wg.Add(1)
	return nil
}

func (s *Conns) add(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = true
	if s.ctx.Err() != nil {
		c.Close()
	}
}

func (s *Conns) remove(c net.Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	c.Close()
}

// Shutdown implements Server. It ends the connections that do not end by themselves.
func (s *Conns) Shutdown(ctx context.Context) error {
	err := s.closeListeners()
	ended := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(ended)
	}()
	patience := time.NewTimer(lastWords)
	defer patience.Stop()
	select {
	case <-ended:
	case <-patience.C:
	}
	s.closeConns()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
		return errors.Join(err, ctx.Err())
	}
}

// closeListeners does nothing on the second call.
func (s *Conns) closeListeners() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, ln := range s.lns {
		errs = append(errs, ln.Close())
	}
	s.lns = nil
	return errors.Join(errs...)
}

func (s *Conns) closeConns() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel()
	for c := range s.conns {
		c.Close()
	}
}
