package netringgrpc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/netring-go/netring"
	netringgrpc "github.com/netring-go/netring/integrations/grpc"
)

// conns runs the test with each engine that has netring's connections.
func conns(t *testing.T, test func(t *testing.T, s *stack)) {
	stacks(t, func(t *testing.T, s *stack) {
		if s.engine == netring.EngineNet {
			t.Skip("the connections are package net's")
		}
		test(t, s)
	})
}

// pair returns an accepted connection and its peer, which is package net's. The end of the
// test closes both.
func (s *stack) pair(t testing.TB, network string) (*netringgrpc.Conn, net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/socket"
	}
	ln, err := s.Listen(t.Context(), network, address)
	must(t, err)
	defer func() { must(t, ln.Close()) }()
	peer, err := net.Dial(network, ln.Addr().String())
	must(t, err)
	t.Cleanup(func() { peer.Close() }) // again, in some tests
	c, err := ln.Accept()
	must(t, err)
	t.Cleanup(func() { c.Close() }) // again, in some tests
	must(t, c.SetDeadline(time.Now().Add(patience)))
	must(t, peer.SetDeadline(time.Now().Add(patience)))
	return c.(*netringgrpc.Conn), peer
}

// countingPool counts the buffers that are taken.
type countingPool struct {
	taken atomic.Int64
	put   chan int64 // gets the number left after each Put
}

func newPool() *countingPool { return &countingPool{put: make(chan int64, 100)} }

func (p *countingPool) Get(n int) *[]byte {
	p.taken.Add(1)
	b := make([]byte, n)
	return &b
}

func (p *countingPool) Put(*[]byte) { p.put <- p.taken.Add(-1) }

// A ReadOnReady that waits holds no buffer.
func TestReadOnReadyWaitsWithoutBuffer(t *testing.T) {
	conns(t, func(t *testing.T, s *stack) {
		for _, network := range []string{"tcp", "unix"} {
			c, peer := s.pair(t, network)
			pool := newPool()
			go func() {
				// The call has looked and found nothing.
				if left := <-pool.put; left != 0 {
					t.Errorf("%s: %d buffers are taken while ReadOnReady waits", network, left)
				}
				peer.Write([]byte("hello"))
			}()
			buf, n, err := c.ReadOnReady(100, pool)
			must(t, err)
			if len(*buf) != 100 || string((*buf)[:n]) != "hello" {
				t.Errorf("%s: got %q in a buffer of %d", network, (*buf)[:n], len(*buf))
			}
			if taken := pool.taken.Load(); taken != 1 {
				t.Errorf("%s: %d buffers are taken for one read", network, taken)
			}
		}
	})
}

// ReadOnReady continues where other reads end, whatever they have received ahead.
func TestReadOnReadyAfterOthers(t *testing.T) {
	data := randomBytes(300_000)
	conns(t, func(t *testing.T, s *stack) {
		for _, network := range []string{"tcp", "unix"} {
			c, peer := s.pair(t, network)
			go func() {
				peer.Write(data)
				peer.Close()
			}()
			var got []byte
			ahead := false
			small := make([]byte, 24)
			for i := 0; ; i++ {
				var n int
				var err error
				if i%3 == 0 {
					n, err = c.Read(small)
					got = append(got, small[:n]...)
					ahead = ahead || c.Unread() > 0
				} else {
					var buf *[]byte
					if buf, n, err = c.ReadOnReady(100+i, mem.DefaultBufferPool()); err == nil {
						got = append(got, (*buf)[:n]...)
						mem.DefaultBufferPool().Put(buf)
					}
				}
				if err == io.EOF {
					break
				}
				must(t, err)
			}
			if !bytes.Equal(got, data) {
				t.Errorf("%s: got %d bytes of %d, or they differ", network, len(got), len(data))
			}
			if network == "tcp" && !ahead {
				t.Error("nothing was received ahead: the test is without effect")
			}
		}
	})
}

// The errors of ReadOnReady are those of Read.
func TestReadOnReadyErrors(t *testing.T) {
	for name, breakIt := range map[string]func(c *netringgrpc.Conn, peer net.Conn) error{
		"end":      func(_ *netringgrpc.Conn, peer net.Conn) error { return peer.Close() },
		"closed":   func(c *netringgrpc.Conn, _ net.Conn) error { return c.Close() },
		"deadline": func(c *netringgrpc.Conn, _ net.Conn) error { return c.SetReadDeadline(time.Unix(1, 0)) },
		"reset": func(_ *netringgrpc.Conn, peer net.Conn) error {
			return errors.Join(peer.(*net.TCPConn).SetLinger(0), peer.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			conns(t, func(t *testing.T, s *stack) {
				c1, peer := s.pair(t, "tcp")
				must(t, breakIt(c1, peer))
				_, want := c1.Read(make([]byte, 1000))
				c2, peer := s.pair(t, "tcp")
				must(t, breakIt(c2, peer))
				pool := newPool()
				buf, n, got := c2.ReadOnReady(1000, pool)
				if buf != nil || n != 0 || pool.taken.Load() != 0 {
					t.Errorf("returned %v, %d; %d buffers are taken", buf, n, pool.taken.Load())
				}
				sameError(t, c2, got, want)
			})
		})
	}
}

// sameError fails the test unless got is c's form of want, an error of another connection.
func sameError(t *testing.T, c net.Conn, got, want error) {
	t.Helper()
	if want == io.EOF || want == nil {
		if got != want {
			t.Errorf("got %v instead of %v", got, want)
		}
		return
	}
	w := *want.(*net.OpError)
	w.Source, w.Addr = c.LocalAddr(), c.RemoteAddr()
	if g, ok := got.(*net.OpError); !ok || g.Error() != w.Error() || g.Timeout() != w.Timeout() {
		t.Errorf("got %T %v instead of %v", got, got, &w)
	}
	if inner := errors.Unwrap(w.Err); inner != nil && !errors.Is(got, inner) {
		t.Errorf("%v does not wrap %v", got, inner)
	}
}

// Close and a deadline end a ReadOnReady that waits.
func TestReadOnReadyInterrupted(t *testing.T) {
	conns(t, func(t *testing.T, s *stack) {
		for want, interrupt := range map[error]func(c net.Conn) error{
			net.ErrClosed:          net.Conn.Close,
			os.ErrDeadlineExceeded: func(c net.Conn) error { return c.SetReadDeadline(time.Unix(1, 0)) },
		} {
			c, _ := s.pair(t, "tcp")
			pool := newPool()
			go func() {
				<-pool.put // the call has looked and found nothing
				if err := interrupt(c); err != nil {
					t.Error(err)
				}
			}()
			if buf, _, err := c.ReadOnReady(100, pool); buf != nil || !errors.Is(err, want) {
				t.Errorf("returned %v, %v instead of %v", buf, err, want)
			}
		}
	})
}

// ReadOnReady works for a few goroutines at once, and with a buffer of any size.
func TestReadOnReadyConcurrently(t *testing.T) {
	conns(t, func(t *testing.T, s *stack) {
		c, peer := s.pair(t, "tcp")
		const readers, total = 4, 1 << 20
		var read atomic.Int64
		var wg sync.WaitGroup
		for i := range readers {
			wg.Go(func() {
				for {
					buf, n, err := c.ReadOnReady(1000*i, mem.DefaultBufferPool())
					if err == io.EOF {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					read.Add(int64(n))
					mem.DefaultBufferPool().Put(buf)
					if i == 0 { // a read of nothing never waits
						return
					}
				}
			})
		}
		_, err := peer.Write(make([]byte, total))
		must(t, err)
		must(t, peer.Close())
		wg.Wait()
		if read.Load() != total {
			t.Errorf("read %d bytes of %d", read.Load(), total)
		}
	})
}

// A Conn is a *netring.Conn, too.
func TestConnPassesOn(t *testing.T) {
	conns(t, func(t *testing.T, s *stack) {
		c, peer := s.pair(t, "tcp")
		if inner, ok := c.NetConn().(*netring.Conn); !ok || inner != c.Conn {
			t.Errorf("NetConn returns a %T", c.NetConn())
		}
		var conn net.Conn = c
		if _, ok := conn.(interface {
			syscall.Conn
			io.ReaderFrom
			io.WriterTo
			File() (*os.File, error)
			CloseRead() error
			CloseWrite() error
		}); !ok {
			t.Errorf("a %T lacks a method of *netring.Conn", c)
		}
		must(t, c.CloseWrite())
		if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after CloseWrite, the peer reads %d, %v", n, err)
		}
	})
}

// DialContext understands all forms of an address that grpc-go has.
func TestDialAddresses(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		path := t.TempDir() + "/socket"
		long := path + strings.Repeat("2", 107-len(path)) // no byte more fits, see unix(7)
		name := fmt.Sprintf("netringgrpc-%d", os.Getpid())
		for network, addresses := range map[string]map[string]string{
			"tcp":  {"127.0.0.1:0": ""},
			"unix": {path: "unix:" + path, long: "unix://" + long, "@" + name: "\x00" + name},
		} {
			for listened, dialled := range addresses {
				ln, err := s.Listen(t.Context(), network, listened)
				must(t, err)
				if dialled == "" {
					dialled = ln.Addr().String()
				}
				c, err := s.DialContext(t.Context(), dialled)
				must(t, err)
				if got, want := c.RemoteAddr(), ln.Addr(); got.Network() != network || got.String() != want.String() {
					t.Errorf("DialContext to %q connects to %v instead of %v", dialled, got, want)
				}
				must(t, c.Close())
				must(t, ln.Close())
			}
		}
	})
}

// readCounter counts the reads of grpc-go by ReadOnReady.
type readCounter struct {
	*netringgrpc.Conn
	reads *atomic.Int64
}

func (c readCounter) ReadOnReady(size int, pool mem.BufferPool) (*[]byte, int, error) {
	c.reads.Add(1)
	return c.Conn.ReadOnReady(size, pool)
}

// countingListener accepts readCounters.
type countingListener struct {
	net.Listener
	reads *atomic.Int64
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return readCounter{c.(*netringgrpc.Conn), l.reads}, nil
}

// grpc-go finds ReadOnReady, in servers and clients. The method belongs to an interface
// that is internal to grpc-go, so a new version may look for another.
func TestReadOnReadyIsUsed(t *testing.T) {
	conns(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		var server, clients atomic.Int64
		serve(t, countingListener{ln, &server})
		c, _ := client(t, "passthrough:///"+ln.Addr().String(), func(ctx context.Context, address string) (net.Conn, error) {
			c, err := s.DialContext(ctx, address)
			if err != nil {
				return nil, err
			}
			return readCounter{c.(*netringgrpc.Conn), &clients}, nil
		})
		must(t, check(patient(t), c, nil))
		if server.Load() == 0 || clients.Load() == 0 {
			t.Errorf("grpc-go called ReadOnReady %d times in the server and %d times in the client", server.Load(), clients.Load())
		}
	})
}
