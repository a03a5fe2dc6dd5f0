package netring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dialWith returns the stack's Dialer with the given settings.
func (s *stack) dialWith(std net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	if s.poller == nil {
		return std.DialContext
	}
	d := &Dialer{
		Timeout: std.Timeout, Deadline: std.Deadline, LocalAddr: std.LocalAddr, FallbackDelay: std.FallbackDelay,
		KeepAlive: std.KeepAlive, KeepAliveConfig: std.KeepAliveConfig, Resolver: std.Resolver,
		Control: std.Control, ControlContext: std.ControlContext, Poller: s.poller,
	}
	return d.DialContext
}

func TestRow13Dial(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		for _, network := range []string{"tcp", "tcp4"} {
			ln := s.listen(t)
			go func() {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				buf := make([]byte, 100)
				n, _ := c.Read(buf)
				c.Write(buf[:n])
			}()
			c, err := s.dialWith(net.Dialer{})(context.Background(), network, ln.Addr().String())
			must(t, err)
			defer c.Close()
			if _, ok := c.(*Conn); ok != (s.poller != nil) {
				t.Errorf("the connection is a %T", c)
			}
			std := stdAddrs(t, c)
			if !reflect.DeepEqual(c.LocalAddr(), std.LocalAddr()) || !reflect.DeepEqual(c.RemoteAddr(), std.RemoteAddr()) {
				t.Errorf("addresses %#v, %#v", c.LocalAddr(), c.RemoteAddr())
			}
			_, err = c.Write([]byte("ping"))
			must(t, err)
			buf := make([]byte, 10)
			if n, err := c.Read(buf); string(buf[:n]) != "ping" || err != nil {
				t.Errorf("read %q, %v", buf[:n], err)
			}
		}
	})
}

// Control, ControlContext, LocalAddr and keep-alive reach the socket.
func TestRow13DialerFields(t *testing.T) {
	var want string
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		var controlled string
		type key struct{}
		ctx := context.WithValue(context.Background(), key{}, "value")
		c, err := s.dialWith(net.Dialer{
			LocalAddr:       &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)},
			KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 44 * time.Second, Interval: 5 * time.Second, Count: 2},
			ControlContext: func(ctx context.Context, network, _ string, _ syscall.RawConn) error {
				controlled = fmt.Sprint(network, ctx.Value(key{}))
				return nil
			},
		})(ctx, "tcp", ln.Addr().String())
		must(t, err)
		defer c.Close()
		got := fmt.Sprint(controlled, c.LocalAddr().(*net.TCPAddr).IP, optionValues(t, c))
		if s.poller == nil {
			want = got
		} else if got != want {
			t.Errorf("got %s, package net %s", got, want)
		}
	})
}

// Happy eyeballs: the first address of a name does not answer, and the second answers.
func TestRow13HappyEyeballs(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listenOn(t, "tcp4", "127.0.0.1:0")
		_, port, err := net.SplitHostPort(ln.Addr().String())
		must(t, err)
		// On most machines, localhost has an IPv6 address first. Nobody listens there.
		c, err := s.dialWith(net.Dialer{FallbackDelay: time.Millisecond})(context.Background(), "tcp", net.JoinHostPort("localhost", port))
		must(t, err)
		must(t, c.Close())
	})
}

// fullListener returns the address of a listener whose backlog is full, so that
// connecting to it hangs.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	must(t, errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)))
	sa, err := unix.Getsockname(fd)
	must(t, err)
	addr := fmt.Sprintf("127.0.0.1:%d", sa.(*unix.SockaddrInet4).Port)
	for range 10 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the backlog does not fill")
	return ""
}

func TestDialWithBadPoller(t *testing.T) {
	engines(t) // skips the test with NETRING_ENGINE=net
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	d := Dialer{Poller: &Poller{}}
	if _, err := d.Dial("tcp", ln.Addr().String()); err == nil || !strings.Contains(err.Error(), "NewPoller") {
		t.Errorf("a Poller that NewPoller did not make: %v", err)
	}
	p, err := NewPoller(Config{})
	must(t, err)
	must(t, p.Close())
	d.Poller = p
	if _, err := d.Dial("tcp", ln.Addr().String()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed Poller: %v", err)
	}
	for _, network := range []string{"udp", "ip", "unixgram", ""} {
		_, err := Dial(network, ln.Addr().String())
		var unknown net.UnknownNetworkError
		if !errors.As(err, &unknown) {
			t.Errorf("%q: %v", network, err)
		}
	}
	// The default Poller ends after a failed Dial and after the last Close.
	if _, err := DialTimeout("tcp", "127.0.0.1:1", time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	c, err := Dial("tcp", ln.Addr().String())
	must(t, err)
	must(t, c.Close())
	awaitNoDefaultPoller(t)
}
