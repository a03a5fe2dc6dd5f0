package netring

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// A listener that package net made goes on as a *Listener: with its address, with the
// connections that wait, and with what its Close does to a unix socket's file.
func TestWrapListener(t *testing.T) {
	for _, engine := range engines(t) {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(engine.String()+"/"+network, func(t *testing.T) {
				p := newPoller(t, Config{Engine: engine})
				lc := ListenConfig{Poller: p}
				std := listenStd(t, network)
				early, err := net.Dial(network, std.Addr().String())
				must(t, err)
				defer early.Close()
				l, err := lc.Wrap(std)
				must(t, err)
				if _, ok := l.(*Listener); !ok || l.Addr().String() != std.Addr().String() || l.Addr().Network() != network {
					t.Fatalf("it is a %T at %v", l, l.Addr())
				}
				if same, err := lc.Wrap(l); same != l || err != nil {
					t.Errorf("wrapped again: %v, %v", same, err)
				}
				if err := std.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the original was not closed: %v", err)
				}
				for _, client := range []net.Conn{early, dialStd(t, l.Addr())} {
					c, err := l.Accept()
					must(t, err)
					_, err = io.WriteString(client, "hello")
					must(t, err)
					p := make([]byte, 5)
					if _, err := io.ReadFull(c, p); err != nil || string(p) != "hello" {
						t.Errorf("%q, %v", p, err)
					}
					if _, ok := c.(*Conn); !ok {
						t.Errorf("it accepts a %T", c)
					}
					must(t, c.Close())
				}
				must(t, l.Close())
				if network == "unix" {
					if _, err := os.Lstat(std.Addr().String()); !errors.Is(err, os.ErrNotExist) {
						t.Errorf("the socket's file: %v", err)
					}
				}
			})
		}
	}
}

// An inherited listener leaves the file of a unix socket, unless told to remove it, and
// does not care when the file descriptor is closed.
func TestFileListener(t *testing.T) {
	for _, engine := range engines(t) {
		for _, unlink := range []bool{false, true} {
			p := newPoller(t, Config{Engine: engine})
			std := listenStd(t, "unix")
			f, err := std.(*net.UnixListener).File()
			must(t, err)
			lc := ListenConfig{Poller: p}
			l, err := lc.FileListener(f)
			must(t, err)
			must(t, f.Close())
			if unlink {
				l.(*Listener).SetUnlinkOnClose(true)
			}
			client := dialStd(t, l.Addr())
			c, err := l.Accept()
			must(t, err)
			must(t, errors.Join(client.Close(), c.Close(), l.Close()))
			if _, err := os.Lstat(std.Addr().String()); errors.Is(err, os.ErrNotExist) != unlink {
				t.Errorf("%v, unlink %v: the socket's file: %v", engine, unlink, err)
			}
		}
	}
}

// A connection goes on in the middle of its stream, in both directions.
func TestWrapConn(t *testing.T) {
	for _, engine := range engines(t) {
		for _, network := range []string{"tcp", "unix"} {
			for _, file := range []bool{false, true} {
				p := newPoller(t, Config{Engine: engine})
				ln := listenStd(t, network)
				client := dialStd(t, ln.Addr())
				server, err := ln.Accept()
				must(t, err)
				must(t, server.SetDeadline(time.Unix(1, 0))) // which does not stay
				_, err = io.WriteString(client, "received before")
				must(t, err)
				d := Dialer{Poller: p}
				var c net.Conn
				if file {
					f, err := server.(interface{ File() (*os.File, error) }).File()
					must(t, err)
					c, err = d.FileConn(f)
					must(t, errors.Join(err, f.Close(), server.Close()))
				} else {
					c, err = d.WrapConn(server)
					must(t, err)
					if err := server.Close(); !errors.Is(err, net.ErrClosed) {
						t.Errorf("the original was not closed: %v", err)
					}
					if same, err := d.WrapConn(c); same != c || err != nil {
						t.Errorf("wrapped again: %v, %v", same, err)
					}
				}
				if _, ok := c.(*Conn); !ok || c.LocalAddr().String() != server.LocalAddr().String() || c.RemoteAddr().String() != server.RemoteAddr().String() {
					t.Errorf("it is a %T, %v to %v", c, c.LocalAddr(), c.RemoteAddr())
				}
				got := make([]byte, len("received before"))
				if _, err := io.ReadFull(c, got); err != nil || string(got) != "received before" {
					t.Errorf("%v, %s: %q, %v", engine, network, got, err)
				}
				_, err = io.WriteString(c, "answer")
				must(t, errors.Join(err, c.Close()))
				if got, err := io.ReadAll(client); err != nil || string(got) != "answer" {
					t.Errorf("%v, %s: the peer got %q, %v", engine, network, got, err)
				}
			}
		}
	}
}

// What cannot be taken over stays open, and the error says what to do.
func TestWrapRefuses(t *testing.T) {
	p := newPoller(t, Config{Engine: EngineSyscall})
	lc, d := ListenConfig{Poller: p}, Dialer{Poller: p}
	inner := listenStd(t, "tcp")
	secure := tls.NewListener(inner, &tls.Config{})
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer udp.Close()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	closed := listenStd(t, "tcp")
	must(t, closed.Close())
	client := dialStd(t, inner.Addr())
	for _, tc := range []struct {
		name string
		do   func() error
		want string
	}{
		{"TLS listener", func() error { _, err := lc.Wrap(secure); return err }, "a *tls.listener has no socket of its own; wrap the inner one"},
		{"TLS connection", func() error {
			_, err := d.WrapConn(tls.Client(client, &tls.Config{InsecureSkipVerify: true}))
			return err
		}, "NetConn"},
		{"pipe", func() error { _, err := d.WrapConn(a); return err }, "a *net.pipe has no socket of its own"},
		{"connection as listener", func() error { _, err := lc.Wrap(connAsListener{client.(*net.TCPConn)}); return err }, "does not listen; use WrapConn for a connection"},
		{"listener as connection", func() error { _, err := d.WrapConn(listenerAsConn{TCPListener: inner.(*net.TCPListener)}); return err }, "getpeername"},
		{"UDP", func() error { _, err := d.WrapConn(udp.(net.Conn)); return err }, "is not a stream socket; use package net"},
		{"closed listener", func() error { _, err := lc.Wrap(closed); return err }, "use of closed network connection"},
		{"write buffer", func() error { lc := ListenConfig{Poller: p, Coalesce: 1}; _, err := lc.Wrap(inner); return err }, "ListenConfig.Coalesce is 1"},
		{"closed Poller", func() error {
			gone := newUncheckedPoller(t, Config{Engine: EngineSyscall})
			must(t, gone.Close())
			lc := ListenConfig{Poller: gone}
			_, err := lc.Wrap(inner)
			return err
		}, "the Poller is closed"},
		{"not a socket", func() error {
			f, err := os.Open(os.DevNull)
			must(t, err)
			defer f.Close()
			_, err = lc.FileListener(f)
			return err
		}, "non-socket"},
	} {
		err := tc.do()
		var oe *net.OpError
		if err == nil || !errors.As(err, &oe) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want a *net.OpError with %q", tc.name, err, tc.want)
		}
	}
	if c, err := inner.Accept(); err != nil {
		t.Errorf("a listener that was refused: %v", err)
	} else {
		must(t, c.Close())
	}
}

// connAsListener is a listener whose socket does not listen.
type connAsListener struct{ *net.TCPConn }

func (connAsListener) Accept() (net.Conn, error) { return nil, io.EOF }
func (l connAsListener) Addr() net.Addr          { return l.LocalAddr() }

// listenerAsConn is a connection whose socket is not connected.
type listenerAsConn struct {
	*net.TCPListener
	net.Conn
}

func (l listenerAsConn) Close() error                { return l.TCPListener.Close() }
func (l listenerAsConn) SetDeadline(time.Time) error { return nil }
func (l listenerAsConn) LocalAddr() net.Addr         { return l.Addr() }
func (l listenerAsConn) RemoteAddr() net.Addr        { return nil }

// The listeners of another package than net.
type (
	foreignTCP  struct{ *net.TCPListener }
	foreignUnix struct{ *net.UnixListener }
)

// A listener of another package can be taken over if it has a socket, even a blocking
// one.
func TestWrapForeignListener(t *testing.T) {
	for _, engine := range engines(t) {
		for _, network := range []string{"tcp", "unix"} {
			std := listenStd(t, network)
			var foreign net.Listener
			var f *os.File
			var err error
			switch std := std.(type) {
			case *net.TCPListener:
				foreign = foreignTCP{std}
				f, err = std.File()
			case *net.UnixListener:
				foreign = foreignUnix{std}
				f, err = std.File()
			}
			must(t, err)
			f.Fd() // makes the socket blocking
			must(t, f.Close())
			lc := ListenConfig{Poller: newPoller(t, Config{Engine: engine})}
			l, err := lc.Wrap(foreign)
			must(t, err)
			accepted := make(chan error, 2)
			go func() {
				for range 2 {
					c, err := l.Accept()
					if err == nil {
						err = c.Close()
					}
					accepted <- err
				}
			}()
			for range 2 {
				dialStd(t, l.Addr())
				within(t, "Accept", func() { must(t, <-accepted) })
			}
			within(t, "Close", func() { must(t, l.Close()) })
			if network == "unix" {
				if _, err := os.Lstat(std.Addr().String()); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the socket's file: %v", err)
				}
			}
		}
	}
}

// listenStd returns a listener of package net's.
func listenStd(t testing.TB, network string) net.Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = socketName(t)
	}
	l, err := net.Listen(network, address)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// dialStd connects with package net.
func dialStd(t testing.TB, a net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(a.Network(), a.String())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}
