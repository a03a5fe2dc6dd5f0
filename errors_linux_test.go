package netring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netring-go/netring/reactor"
)

func TestRow03Errors(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		t.Run("EOF", func(t *testing.T) {
			server, client := s.pair(t)
			must(t, client.Close())
			if n, err := server.Read(make([]byte, 10)); n != 0 || err != io.EOF {
				t.Errorf("Read: %d, %#v; want the bare io.EOF", n, err)
			}
		})
		t.Run("reset", func(t *testing.T) {
			server, client := s.pair(t)
			must(t, client.(*net.TCPConn).SetLinger(0))
			must(t, client.Close())
			_, err := server.Read(make([]byte, 10))
			checkOpError(t, err, "read", server.LocalAddr(), server.RemoteAddr(), syscall.ECONNRESET, syscall.ECONNRESET)
			_, err = writeOut(server, []byte("x"))
			checkOpError(t, err, "write", server.LocalAddr(), server.RemoteAddr(), syscall.EPIPE, syscall.EPIPE)
		})
		t.Run("EPIPE", func(t *testing.T) {
			server, _ := s.pair(t)
			must(t, server.(interface{ CloseWrite() error }).CloseWrite())
			_, err := writeOut(server, []byte("x"))
			checkOpError(t, err, "write", server.LocalAddr(), server.RemoteAddr(), syscall.EPIPE, syscall.EPIPE)
		})
		t.Run("nil", func(t *testing.T) {
			if s.poller == nil {
				return
			}
			var c *Conn
			for name, f := range map[string]func() error{
				"Read":  func() error { _, err := c.Read(nil); return err },
				"Write": func() error { _, err := c.Write(nil); return err },
				"Close": c.Close, "CloseRead": c.CloseRead, "CloseWrite": c.CloseWrite,
				"SetDeadline": func() error { return c.SetDeadline(time.Time{}) },
			} {
				if err := f(); err != syscall.EINVAL {
					t.Errorf("%s of a nil Conn: %v, want EINVAL as in package net", name, err)
				}
			}
			if c.LocalAddr() != nil || c.RemoteAddr() != nil {
				t.Error("a nil Conn has addresses")
			}
		})
	})
}

// describe returns everything that a program can find out about an error.
func describe(err error, replace ...string) string {
	if err == nil {
		return "nil"
	}
	var b strings.Builder
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&b, "%T > ", e)
		if _, ok := e.(syscall.Errno); ok {
			break
		}
	}
	var oe *net.OpError
	if errors.As(err, &oe) {
		kind := func(a net.Addr) string {
			if a == nil {
				return "none"
			}
			return a.Network()
		}
		fmt.Fprintf(&b, "op %s net %s source %s addr %s; ", oe.Op, oe.Net, kind(oe.Source), kind(oe.Addr))
	}
	var ne net.Error
	if errors.As(err, &ne) {
		//lint:ignore SA1019 programs use it
		fmt.Fprintf(&b, "timeout %v temporary %v; ", ne.Timeout(), ne.Temporary())
	}
	for _, target := range []error{
		net.ErrClosed, os.ErrDeadlineExceeded, context.Canceled, context.DeadlineExceeded, os.ErrNotExist,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.EADDRINUSE, syscall.EMFILE, syscall.ENETUNREACH, syscall.EINVAL,
	} {
		if errors.Is(err, target) {
			fmt.Fprintf(&b, "is %v; ", target)
		}
	}
	return b.String() + strings.NewReplacer(replace...).Replace(err.Error())
}

// TestRow03ErrorTaxonomy produces each failure on package net and on netring. Type chain,
// fields, predicates and text must be the same.
func TestRow03ErrorTaxonomy(t *testing.T) {
	full := fullListener(t)
	dial := func(std net.Dialer, network, addr string, ctx context.Context) func(t *testing.T, s *stack) string {
		return func(t *testing.T, s *stack) string {
			c, err := s.dialWith(std)(ctx, network, addr)
			if err == nil {
				c.Close()
			}
			return describe(err)
		}
	}
	background := context.Background()
	cancelled, cancel := context.WithCancel(background)
	cancel()
	closedPort := func() string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer ln.Close()
		return ln.Addr().String()
	}()
	// onPair describes the error that f gets from a connection.
	onPair := func(f func(t *testing.T, server, client net.Conn) error) func(t *testing.T, s *stack) string {
		return func(t *testing.T, s *stack) string {
			server, client := s.pair(t)
			err := f(t, server, client)
			return describe(err, server.LocalAddr().String(), "LOCAL", server.RemoteAddr().String(), "REMOTE")
		}
	}
	buf := make([]byte, 10)
	failures := []struct {
		name string
		f    func(t *testing.T, s *stack) string
	}{
		{"refused", dial(net.Dialer{}, "tcp", closedPort, background)},
		{"unreachable", dial(net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}, "tcp", "192.0.2.1:80", background)},
		{"timed out", dial(net.Dialer{Timeout: 20 * time.Millisecond}, "tcp", full, background)},
		{"deadline passed", dial(net.Dialer{Deadline: time.Unix(1, 0)}, "tcp", full, background)},
		{"cancelled before", dial(net.Dialer{}, "tcp", full, cancelled)},
		{"cancelled while connecting", func(t *testing.T, s *stack) string {
			ctx, cancel := context.WithCancel(background)
			time.AfterFunc(10*time.Millisecond, cancel)
			_, err := s.dialWith(net.Dialer{})(ctx, "tcp", full)
			return describe(err)
		}},
		{"context deadline", func(t *testing.T, s *stack) string {
			ctx, cancel := context.WithTimeout(background, 10*time.Millisecond)
			defer cancel()
			_, err := s.dialWith(net.Dialer{})(ctx, "tcp", full)
			return describe(err)
		}},
		{"DNS failure", dial(net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no network")
		}}}, "tcp", "no-such-host.invalid:80", background)},
		{"too many files, dialling", func(t *testing.T, s *stack) (res string) {
			withoutDescriptors(t, func() { res = dial(net.Dialer{}, "tcp", closedPort, background)(t, s) })
			return res
		}},
		{"too many files, accepting", func(t *testing.T, s *stack) string {
			ln := s.listen(t)
			c, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer c.Close()
			withoutDescriptors(t, func() { _, err = ln.Accept() })
			return describe(err, ln.Addr().String(), "ADDR")
		}},
		{"too many files, listening", func(t *testing.T, s *stack) string {
			var err error
			withoutDescriptors(t, func() { _, err = s.tryListen("tcp", "127.0.0.1:0") })
			return describe(err)
		}},
		{"bad address", dial(net.Dialer{}, "tcp", "127.0.0.1", background)},
		{"bad port", dial(net.Dialer{}, "tcp", "127.0.0.1:no-such-service", background)},
		{"local address of the wrong kind", dial(net.Dialer{LocalAddr: &net.UnixAddr{Name: "x", Net: "unix"}}, "tcp", closedPort, background)},
		{"no such socket file", dial(net.Dialer{}, "unix", "/no/such/file", background)},
		{"unknown network", dial(net.Dialer{}, "tpc", closedPort, background)},
		{"Control fails", dial(net.Dialer{Control: func(string, string, syscall.RawConn) error { return errors.New("no") }}, "tcp", closedPort, background)},
		{"address in use", func(t *testing.T, s *stack) string {
			ln := s.listen(t)
			_, err := s.tryListen("tcp", ln.Addr().String())
			return describe(err, ln.Addr().String(), "ADDR")
		}},
		{"closed locally", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, server.Close())
			_, err := server.Read(buf)
			return err
		})},
		{"closed by the peer", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, client.Close())
			_, err := server.Read(buf)
			return err
		})},
		{"reset, reading", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, errors.Join(client.(*net.TCPConn).SetLinger(0), client.Close()))
			_, err := server.Read(buf)
			return err
		})},
		{"reset, writing", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, errors.Join(client.(*net.TCPConn).SetLinger(0), client.Close()))
			for {
				if _, err := server.Write(buf); err != nil {
					return err
				}
			}
		})},
		{"EPIPE", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, server.(interface{ CloseWrite() error }).CloseWrite())
			_, err := writeOut(server, buf)
			return err
		})},
		{"read timed out", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, server.SetDeadline(time.Now().Add(time.Millisecond)))
			_, err := server.Read(buf)
			return err
		})},
		{"write timed out", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, server.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
			_, err := server.Write(make([]byte, 64<<20))
			return err
		})},
		{"half-close after a reset", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, errors.Join(client.(*net.TCPConn).SetLinger(0), client.Close()))
			if _, err := server.Read(buf); err == nil {
				t.Error("no reset")
			}
			return server.(interface{ CloseWrite() error }).CloseWrite()
		})},
		{"Accept timed out", func(t *testing.T, s *stack) string {
			ln := s.listen(t)
			must(t, ln.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Unix(1, 0)))
			_, err := ln.Accept()
			return describe(err, ln.Addr().String(), "ADDR")
		}},
		{"a file after Close", onPair(func(t *testing.T, server, client net.Conn) error {
			f, _ := transferFile(t, 100)
			must(t, server.Close())
			_, err := server.(io.ReaderFrom).ReadFrom(f)
			return err
		})},
		{"a file after the deadline", onPair(func(t *testing.T, server, client net.Conn) error {
			f, _ := transferFile(t, 100)
			must(t, server.SetDeadline(time.Unix(1, 0)))
			_, err := server.(io.ReaderFrom).ReadFrom(f)
			return err
		})},
		{"a file to a connection that was reset", onPair(func(t *testing.T, server, client net.Conn) error {
			f, _ := transferFile(t, 100)
			must(t, errors.Join(client.(*net.TCPConn).SetLinger(0), client.Close()))
			if _, err := server.Read(buf); err == nil {
				t.Error("no reset")
			}
			_, err := server.(io.ReaderFrom).ReadFrom(f)
			return err
		})},
		{"WriteTo after Close", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, server.Close())
			_, err := server.(io.WriterTo).WriteTo(io.Discard)
			return err
		})},
		{"io.Copy to a connection, after the deadline", onPair(func(t *testing.T, server, client net.Conn) error {
			other, peer := (&stack{}).pair(t)
			_, err := peer.Write([]byte("something to copy"))
			must(t, errors.Join(err, server.SetDeadline(time.Unix(1, 0))))
			_, err = server.(io.ReaderFrom).ReadFrom(other)
			return err
		})},
		{"ReadFrom after Close", onPair(func(t *testing.T, server, client net.Conn) error {
			must(t, server.Close())
			_, err := server.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
			return err
		})},
	}
	results := map[string]map[string]string{}
	stacks(t, func(t *testing.T, s *stack) {
		results[s.name] = map[string]string{}
		for _, f := range failures {
			results[s.name][f.name] = f.f(t, s)
		}
	})
	for name, got := range results {
		for _, f := range failures {
			got, want := got[f.name], results["net"][f.name]
			if f.name == "timed out" || f.name == "context deadline" {
				// In package net, the connection's deadline races with the context's deadline. The
				// innermost type depends on the winner.
				got, want = got[strings.Index(got, "op dial"):], want[strings.Index(want, "op dial"):]
				got, want = strings.Replace(got, "context deadline exceeded", "i/o timeout", 1), strings.Replace(want, "context deadline exceeded", "i/o timeout", 1)
			}
			if got != want || want == "nil" {
				t.Errorf("%s, %s:\n got %s\nwant %s", f.name, name, got, want)
			}
		}
	}
	for _, f := range failures {
		t.Logf("%s: %s", f.name, results["net"][f.name])
	}
}

// Errors say what failed and what to do.
func TestErrorsName(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			p := newUncheckedPoller(t, Config{Engine: engine})
			must(t, p.Close())
			lc, d := ListenConfig{Poller: p}, Dialer{Poller: p}
			_, lerr := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			_, derr := d.Dial("tcp", "127.0.0.1:1")
			for what, err := range map[string]error{"Listen": lerr, "Dial": derr, "Close": p.Close()} {
				if !errors.Is(err, net.ErrClosed) || !strings.HasSuffix(err.Error(), "netring: the Poller is closed; make a new Poller") {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	for _, network := range []string{"unixgram", "udp", "ip4:icmp"} {
		_, lerr := Listen(network, "127.0.0.1:0")
		_, derr := Dial(network, "127.0.0.1:1")
		for _, err := range []error{lerr, derr} {
			var unknown net.UnknownNetworkError
			if !errors.As(err, &unknown) || string(unknown) != network || !strings.Contains(err.Error(), `["tcp" "tcp4" "tcp6" "unix" "unixpacket"]`) {
				t.Errorf("%s: %v", network, err)
			}
		}
	}
}

// netring returns its own ErrUnread, never package reactor's.
func TestErrUnreadIsPublic(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			s := &stack{poller: newPoller(t, Config{Engine: engine})}
			server, client := s.pair(t)
			if _, err := io.WriteString(client, "hello"); err != nil {
				t.Error(err)
			}
			c := server.(*Conn)
			if _, err := c.Read(make([]byte, 1)); err != nil || c.Unread() != 4 {
				t.Fatalf("%v, %d unread", err, c.Unread())
			}
			rc, err := c.SyscallConn()
			must(t, err)
			_, fileErr := c.File()
			_, detachErr := c.Detach()
			for op, err := range map[string]error{
				"raw-read": rc.Read(func(uintptr) bool { return true }), "file": fileErr, "detach": detachErr,
			} {
				var oe *net.OpError
				if !errors.As(err, &oe) || oe.Op != op || oe.Err != ErrUnread || errors.Is(err, reactor.ErrUnread) {
					t.Errorf("%s: %v", op, err)
				}
			}
		})
	}
}
