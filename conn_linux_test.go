package netring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"
	"golang.org/x/sys/unix"
)

// TestNettest is the conformance suite of the Go project for net.Conn.
func TestNettest(t *testing.T) {
	makePipe := func(s *stack, both bool) nettest.MakePipe {
		return func() (c1, c2 net.Conn, stop func(), err error) {
			// TestConn expects stop to close the pipe, not the end of the test.
			sub := &subTest{TB: t}
			if both {
				c1, c2 = s.pairBoth(sub)
			} else {
				c1, c2 = s.pair(sub)
			}
			return c1, c2, sub.cleanup, nil
		}
	}
	stacks(t, func(t *testing.T, s *stack) {
		nettest.TestConn(t, makePipe(s, false))
	})
	t.Run("both ends", func(t *testing.T) {
		rings(t, func(t *testing.T, s *stack) {
			nettest.TestConn(t, makePipe(s, true))
		})
	})
}

// subTest collects cleanups that must run before the test's own.
type subTest struct {
	testing.TB
	mu    sync.Mutex
	funcs []func()
}

func (s *subTest) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.funcs = append(s.funcs, f)
}

func (s *subTest) cleanup() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.funcs) - 1; i >= 0; i-- {
		s.funcs[i]()
	}
	s.funcs = nil
}

func TestRow01Deadlines(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		buf := make([]byte, 1000)
		if _, err := client.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		must(t, server.SetReadDeadline(time.Unix(1, 0)))
		for range 2 { // a past deadline beats the data
			n, err := server.Read(buf)
			if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("Read: %d, %v", n, err)
			}
			checkOpError(t, err, "read", server.LocalAddr(), server.RemoteAddr(), os.ErrDeadlineExceeded, 0)
			var ne net.Error
			if !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("%v: Timeout() is false", err)
			}
			if want := fmt.Sprintf("read tcp %v->%v: i/o timeout", server.LocalAddr(), server.RemoteAddr()); err.Error() != want {
				t.Errorf("text %q, want %q", err, want)
			}
		}
		must(t, server.SetReadDeadline(time.Time{}))
		if n, err := server.Read(buf); string(buf[:n]) != "hello" || err != nil {
			t.Fatalf("Read after clearing: %q, %v", buf[:n], err)
		}
		// After each request, net/http ends a read of one byte with a deadline in the past.
		// The read must lose nothing.
		for i := range 200 {
			got := make(chan []byte, 1)
			go func() {
				var p [1]byte
				n, _ := server.Read(p[:])
				got <- p[:n]
			}()
			if i%3 == 0 {
				runtime.Gosched()
			}
			if i%2 == 0 {
				_, err := client.Write([]byte("ab"))
				must(t, err)
			}
			must(t, server.SetReadDeadline(time.Unix(1, 0)))
			head := <-got
			must(t, server.SetReadDeadline(time.Time{}))
			if i%2 == 0 {
				rest := make([]byte, 2-len(head))
				if _, err := io.ReadFull(server, rest); err != nil || string(head)+string(rest) != "ab" {
					t.Fatalf("round %d: %q, %q, %v", i, head, rest, err)
				}
			} else if len(head) != 0 {
				t.Fatalf("round %d: read %q from nowhere", i, head)
			}
		}
	})
}

func TestRow02Close(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		server, _ := s.pair(t)
		errs := make(chan error, 2)
		go func() {
			_, err := server.Read(make([]byte, 1))
			errs <- err
		}()
		go func() {
			_, err := server.Write(make([]byte, 64<<20))
			errs <- err
		}()
		runtime.Gosched() // Close may come before or after the call
		must(t, server.Close())
		within(t, "waking", func() {
			for range 2 {
				err := <-errs
				oe, ok := err.(*net.OpError)
				if !ok || oe.Err != net.ErrClosed {
					t.Errorf("woken with %#v", err)
				}
			}
		})
		laddr, raddr := server.LocalAddr(), server.RemoteAddr()
		_, err := server.Read(make([]byte, 1))
		checkOpError(t, err, "read", laddr, raddr, net.ErrClosed, 0)
		if want := fmt.Sprintf("read tcp %v->%v: use of closed network connection", laddr, raddr); err.Error() != want {
			t.Errorf("text %q, want %q", err, want)
		}
		_, err = server.Write([]byte("x"))
		checkOpError(t, err, "write", laddr, raddr, net.ErrClosed, 0)
		checkOpError(t, server.Close(), "close", laddr, raddr, net.ErrClosed, 0)
		checkOpError(t, server.SetDeadline(time.Now()), "set", nil, laddr, net.ErrClosed, 0)
		checkOpError(t, server.(interface{ CloseWrite() error }).CloseWrite(), "close", laddr, raddr, net.ErrClosed, 0)
		checkOpError(t, server.(interface{ CloseRead() error }).CloseRead(), "close", laddr, raddr, net.ErrClosed, 0)
	})
}

// The kernel reuses descriptors at once. Each connection sends bytes of its own, which
// must not appear on another connection.
func TestRow02NoCrossTalk(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				wg.Go(func() { // echo until the first byte that ends it
					defer c.Close()
					p := make([]byte, 100)
					for {
						n, err := c.Read(p)
						if err != nil {
							return
						}
						// A second writer, whose connection closes during its Write.
						go c.Write(p[:0])
						if _, err := c.Write(p[:n]); err != nil {
							return
						}
						if p[n-1] == '.' {
							return
						}
					}
				})
			}
		})
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				for j := range 50 {
					c, err := net.Dial("tcp", ln.Addr().String())
					if err != nil {
						t.Error(err)
						return
					}
					msg := fmt.Sprintf("client %d round %d.", i, j)
					if _, err := c.Write([]byte(msg)); err != nil {
						t.Error(err)
					}
					if got, err := io.ReadAll(c); string(got) != msg || err != nil {
						t.Errorf("sent %q, got %q, %v", msg, got, err)
					}
					c.Close()
				}
			})
		}
		within(t, "the clients", clients.Wait)
		must(t, ln.Close())
		within(t, "the server", wg.Wait)
	})
}

func TestRow05ZeroLength(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		within(t, "reading nothing", func() {
			if n, err := server.Read(nil); n != 0 || err != nil {
				t.Errorf("Read(nil): %d, %v", n, err)
			}
			if n, err := server.Write(nil); n != 0 || err != nil {
				t.Errorf("Write(nil): %d, %v", n, err)
			}
		})
		must(t, client.Close())
		if n, err := server.Read([]byte{}); n != 0 || err != nil {
			t.Errorf("Read of nothing at the end: %d, %v", n, err)
		}
	})
}

// The bytes of two Writes do not mix.
func TestRow05WritesStayWhole(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		const writers, writes, size = 8, 20, 100_000
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				msg := bytes.Repeat([]byte{byte('a' + i)}, size)
				for range writes {
					if n, err := server.Write(msg); n != size || err != nil {
						t.Errorf("Write: %d, %v", n, err)
					}
				}
			})
		}
		buf := make([]byte, size)
		for i := range writers * writes {
			if _, err := io.ReadFull(client, buf); err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(buf, buf[:1]); n != size {
				t.Fatalf("message %d is a mixture", i)
			}
		}
		wg.Wait()
	})
}

func TestRow06Addresses(t *testing.T) {
	for _, tc := range []struct{ network, listen, dial string }{
		{"tcp", "127.0.0.1:0", "127.0.0.1"},
		{"tcp4", "127.0.0.1:0", "127.0.0.1"},
		{"tcp4", ":0", "127.0.0.1"},
		{"tcp", ":0", "127.0.0.1"},
		{"tcp", ":0", "::1"},
		{"tcp6", "[::1]:0", "::1"},
		{"tcp6", "[::]:0", "::1"},
	} {
		t.Run(tc.network+" "+tc.listen+" "+tc.dial, func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				ln, err := s.tryListen(tc.network, tc.listen)
				if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
					t.Skipf("there is no such address here: %v", err)
				}
				must(t, err)
				defer ln.Close()
				la, ok := ln.Addr().(*net.TCPAddr)
				if !ok {
					t.Fatalf("Addr is a %T", ln.Addr())
				}
				client, err := net.Dial("tcp", net.JoinHostPort(tc.dial, fmt.Sprint(la.Port)))
				if tc.dial == "::1" && (errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENETUNREACH)) {
					t.Skipf("there is no IPv6 here: %v", err)
				}
				must(t, err)
				defer client.Close()
				server, err := ln.Accept()
				must(t, err)
				defer server.Close()
				// Compare with package net's addresses of the same socket.
				std := stdAddrs(t, server)
				for name, pair := range map[string][2]net.Addr{
					"LocalAddr":  {server.LocalAddr(), std.LocalAddr()},
					"RemoteAddr": {server.RemoteAddr(), std.RemoteAddr()},
				} {
					if !reflect.DeepEqual(pair[0], pair[1]) {
						t.Errorf("%s is %#v, package net says %#v", name, pair[0], pair[1])
					}
				}
				if !sameAddr(server.RemoteAddr(), client.LocalAddr()) {
					t.Errorf("RemoteAddr is %v, the client is %v", server.RemoteAddr(), client.LocalAddr())
				}
			})
		})
	}
}

// stdAddrs returns package net's view of c's socket.
func stdAddrs(t *testing.T, c net.Conn) net.Conn {
	t.Helper()
	var f *os.File
	var err error
	if nc, ok := c.(*Conn); ok {
		err = nc.fd.Control(func(sysfd int) error {
			dup, err := unix.FcntlInt(uintptr(sysfd), unix.F_DUPFD_CLOEXEC, 0)
			f = os.NewFile(uintptr(dup), "")
			return err
		})
	} else {
		f, err = c.(*net.TCPConn).File()
	}
	must(t, err)
	std, err := net.FileConn(f)
	must(t, err)
	must(t, f.Close())
	t.Cleanup(func() { closeQuietly(t, std) })
	return std
}

func TestRow07HalfClose(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		half := server.(interface {
			CloseRead() error
			CloseWrite() error
		})
		if _, err := server.Write([]byte("all of it")); err != nil {
			t.Fatal(err)
		}
		must(t, half.CloseWrite())
		if got, err := io.ReadAll(client); string(got) != "all of it" || err != nil {
			t.Errorf("the client got %q, %v", got, err)
		}
		if _, err := client.Write([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		if n, err := server.Read(buf); string(buf[:n]) != "answer" || err != nil {
			t.Errorf("after CloseWrite: %q, %v", buf[:n], err)
		}
		read := make(chan error, 1)
		go func() {
			_, err := server.Read(buf)
			read <- err
		}()
		must(t, half.CloseRead())
		within(t, "Read", func() {
			if err := <-read; err != io.EOF {
				t.Errorf("CloseRead woke Read with %v", err)
			}
		})
	})
}

// 1,000 connections work at once, and every byte arrives.
func TestRow05ManyConnections(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		var lim unix.Rlimit
		must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &lim))
		const conns, rounds = 1000, 5
		if lim.Cur < 2*conns+100 {
			t.Skipf("RLIMIT_NOFILE is %d, and %d descriptors are needed", lim.Cur, 2*conns+100)
		}
		ln := s.listen(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			serveConns(ln, func(c net.Conn) {
				if _, err := io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c}); err != nil {
					t.Errorf("echo: %v", err)
				}
			})
		})
		var clients sync.WaitGroup
		for i := range conns {
			clients.Go(func() {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				for r := range rounds {
					msg := make([]byte, 1+(i*37+r*1013)%5000)
					for k := range msg {
						msg[k] = byte(i + r + k*k>>3)
					}
					if _, err := c.Write(msg); err != nil {
						t.Errorf("conn %d: %v", i, err)
						return
					}
					got := make([]byte, len(msg))
					if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, msg) {
						t.Errorf("conn %d, round %d: the echo differs (%v)", i, r, err)
						return
					}
				}
			})
		}
		within(t, "the clients", clients.Wait)
		must(t, ln.Close())
		within(t, "the server", wg.Wait)
	})
}

func TestConnNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	rings(t, func(t *testing.T, s *stack) {
		server, client := s.pairBoth(t)
		buf := make([]byte, 2000)
		for _, size := range []int{1, 100, 2000} {
			if n := testing.AllocsPerRun(200, func() {
				if _, err := server.Write(buf[:size]); err != nil {
					t.Error(err)
				}
				for left := size; left > 0; {
					n, err := client.Read(buf[:left])
					if err != nil {
						t.Error(err)
						return
					}
					left -= n
				}
			}); n != 0 {
				t.Errorf("a Write and a Read of %d bytes allocate %v times", size, n)
			}
		}
	})
}

// As with net, the peer of a closed connection sees whether unread data was left.
func TestRow27UnreadAtClose(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, size := range []int{0, 1, 100, 999, 1000, 2000} { // to read of 1000 bytes
			t.Run(fmt.Sprintf("%s/%d", network, size), func(t *testing.T) {
				var want string
				stacks(t, func(t *testing.T, s *stack) {
					address := "127.0.0.1:0"
					if network == "unix" {
						address = filepath.Join(t.TempDir(), "s")
					}
					ln := s.listenOn(t, network, address)
					client, err := net.Dial(network, ln.Addr().String())
					must(t, err)
					defer client.Close()
					server, err := ln.Accept()
					must(t, err)
					defer server.Close()
					// A call that waits registers the connection with its reactor.
					must(t, server.SetReadDeadline(time.Now().Add(time.Millisecond)))
					if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatal(err)
					}
					must(t, server.SetReadDeadline(time.Time{}))
					_, err = client.Write(make([]byte, 1000))
					must(t, err)
					if size > 0 {
						_, err := server.Read(make([]byte, size))
						must(t, err)
					}
					must(t, server.Close())
					_, err = client.Read(make([]byte, 1))
					got := fmt.Sprintf("reset %v, end %v", errors.Is(err, syscall.ECONNRESET), err == io.EOF)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("the peer sees %s (%v), want %s", got, err, want)
					}
				})
			})
		}
	}
}
