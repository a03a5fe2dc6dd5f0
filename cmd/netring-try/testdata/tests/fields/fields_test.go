// Package fields tests what package net promises for the fields of its structs. The tests
// pass on package net; on netring they must, too.
package fields

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// option returns a socket option of a connection or listener.
func option(t *testing.T, c any, level, name int) (value int) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { value, failed = syscall.GetsockoptInt(int(fd), level, name) }); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatal(failed)
	}
	return value
}

func listen(t *testing.T, lc *net.ListenConfig, network, address string) net.Listener {
	t.Helper()
	l, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// pair connects to l and returns both ends.
func pair(t *testing.T, d *net.Dialer, l net.Listener) (client, server net.Conn) {
	t.Helper()
	client, err := d.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

const keepIdle = 4 // TCP_KEEPIDLE

func TestListenConfig(t *testing.T) {
	var called string
	lc := &net.ListenConfig{
		Control: func(network, address string, c syscall.RawConn) error {
			called = network + " " + address
			return nil
		},
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 77 * time.Second},
	}
	l := listen(t, lc, "tcp", "127.0.0.1:0")
	if called != "tcp4 127.0.0.1:0" {
		t.Errorf("Control was called with %q", called)
	}
	_, server := pair(t, &net.Dialer{}, l)
	if got := option(t, server, syscall.IPPROTO_TCP, keepIdle); got != 77 {
		t.Errorf("TCP_KEEPIDLE of an accepted connection is %d, want 77", got)
	}
}

func TestListenKeepAlive(t *testing.T) {
	l := listen(t, &net.ListenConfig{KeepAlive: -1}, "tcp", "127.0.0.1:0")
	_, server := pair(t, &net.Dialer{}, l)
	if option(t, server, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) != 0 {
		t.Error("SO_KEEPALIVE is set, want it off for a negative KeepAlive")
	}
}

func TestListenMultipathTCP(t *testing.T) {
	const protocol = 38 // SO_PROTOCOL
	for _, use := range []bool{false, true} {
		lc := &net.ListenConfig{}
		lc.SetMultipathTCP(use)
		l := listen(t, lc, "tcp", "127.0.0.1:0")
		got := option(t, l, syscall.SOL_SOCKET, protocol)
		if !use && got != syscall.IPPROTO_TCP {
			t.Errorf("SetMultipathTCP(false): protocol %d, want TCP", got)
		}
		const mptcp = 262
		if s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, mptcp); use && err == nil {
			syscall.Close(s)
			if got != mptcp {
				t.Errorf("SetMultipathTCP(true): protocol %d, want MPTCP", got)
			}
		}
	}
}

func TestControlFails(t *testing.T) {
	failure := errors.New("no")
	lc := &net.ListenConfig{Control: func(string, string, syscall.RawConn) error { return failure }}
	if _, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0"); !errors.Is(err, failure) {
		t.Errorf("Listen: %v, want the error of Control", err)
	}
	l := listen(t, &net.ListenConfig{}, "tcp", "127.0.0.1:0")
	d := &net.Dialer{Control: lc.Control}
	if _, err := d.Dial("tcp", l.Addr().String()); !errors.Is(err, failure) {
		t.Errorf("Dial: %v, want the error of Control", err)
	}
}

type key struct{}

func TestDialer(t *testing.T) {
	l := listen(t, &net.ListenConfig{}, "tcp", "127.0.0.1:0")
	var called, value string
	d := &net.Dialer{
		Timeout:         time.Minute,
		LocalAddr:       &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)},
		FallbackDelay:   -1,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 78 * time.Second},
		ControlContext: func(ctx context.Context, network, address string, c syscall.RawConn) error {
			called = network + " " + address
			value, _ = ctx.Value(key{}).(string)
			return nil
		},
	}
	ctx := context.WithValue(context.Background(), key{}, "value")
	c, err := d.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if want := "tcp4 " + l.Addr().String(); called != want || value != "value" {
		t.Errorf("ControlContext was called with %q and the context's value %q, want %q and %q", called, value, want, "value")
	}
	if got := option(t, c, syscall.IPPROTO_TCP, keepIdle); got != 78 {
		t.Errorf("TCP_KEEPIDLE is %d, want 78", got)
	}
	if got := c.LocalAddr().String(); !strings.HasPrefix(got, "127.0.0.9:") {
		t.Errorf("LocalAddr is %s, want 127.0.0.9", got)
	}
}

func TestDialerResolver(t *testing.T) {
	asked := make(chan string, 16)
	failure := errors.New("no server")
	d := &net.Dialer{Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			select {
			case asked <- network:
			default:
			}
			return nil, failure
		},
	}}
	if c, err := d.Dial("tcp", "name.invalid:1"); err == nil {
		c.Close()
		t.Fatal("Dial has resolved name.invalid")
	}
	if len(asked) == 0 {
		t.Error("the Resolver was not used")
	}
}

func TestDialEnds(t *testing.T) {
	l := listen(t, &net.ListenConfig{}, "tcp", "127.0.0.1:0")
	closed := make(chan struct{})
	close(closed)
	past := &net.Dialer{Deadline: time.Now().Add(-time.Second)}
	_, err := past.Dial("tcp", l.Addr().String())
	if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
		t.Errorf("Dial after its Deadline: %v, want a timeout", err)
	}
	// Control holds the dial until Cancel has taken effect.
	hold := &net.Dialer{Cancel: closed}
	hold.ControlContext = func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
		<-ctx.Done()
		return ctx.Err()
	}
	if _, err := hold.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("Dial after its Cancel succeeds")
	}
}

func TestOtherNetworks(t *testing.T) {
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := net.Dial("udp", p.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.(*net.UDPConn); !ok {
		t.Errorf(`Dial("udp") returns a %T`, c)
	}
	if _, err := net.Listen("nonsense", "x"); err == nil || err.Error() != "listen nonsense: unknown network nonsense" {
		t.Errorf(`Listen("nonsense"): %v`, err)
	}
}

func TestServes(t *testing.T) {
	for _, network := range []string{"tcp", "tcp4", "unix", "unixpacket"} {
		address := "127.0.0.1:0"
		if strings.HasPrefix(network, "unix") {
			address = filepath.Join(t.TempDir(), "s")
		}
		client, server := pair(t, &net.Dialer{}, listen(t, &net.ListenConfig{}, network, address))
		if _, err := client.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 16)
		if n, err := server.Read(b); err != nil || string(b[:n]) != "ping" {
			t.Errorf("%s: Read: %q, %v", network, b[:n], err)
		}
		if want := os.Getenv("WANT_CONN"); want != "" {
			for _, c := range []net.Conn{client, server} {
				if got := typeName(c); got != want {
					t.Errorf("a connection is a %s, want a %s", got, want)
				}
			}
		}
	}
}

func typeName(c net.Conn) string { return fmt.Sprintf("%T", c) }
