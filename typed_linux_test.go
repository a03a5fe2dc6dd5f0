package netring

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
)

// The typed functions return netring's types, which serve and talk.
func TestTyped(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			setEngine(t, engine.String())
			talk := func(l *Listener, accept func() (*Conn, error), dials ...func() (*Conn, error)) {
				t.Helper()
				defer closeQuietly(t, l)
				for _, dial := range dials {
					c, err := dial()
					must(t, err)
					defer closeQuietly(t, c)
					s, err := accept()
					must(t, err)
					defer closeQuietly(t, s)
					if c.net != l.net || s.net != l.net {
						t.Errorf("the networks are %q and %q, want %q", c.net, s.net, l.net)
					}
					_, err = c.Write([]byte("hello"))
					must(t, err)
					b := make([]byte, 5)
					if _, err := io.ReadFull(s, b); err != nil || string(b) != "hello" {
						t.Errorf("%q, %v", b, err)
					}
				}
			}
			for _, network := range []string{"tcp", "tcp4"} {
				l, err := ListenTCP(network, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
				must(t, err)
				addr := l.Addr().(*net.TCPAddr)
				talk(l, l.AcceptTCP,
					func() (*Conn, error) { return DialTCP(network, nil, addr) },
					func() (*Conn, error) { return DialTCP(network, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}, addr) },
					func() (*Conn, error) {
						return new(Dialer).DialTCP(context.Background(), network, netip.AddrPort{}, addr.AddrPort())
					},
					func() (*Conn, error) {
						c, err := new(Dialer).DialTCP(context.Background(), network, netip.MustParseAddrPort("127.0.0.2:0"), addr.AddrPort())
						if err == nil && c.LocalAddr().(*net.TCPAddr).IP.String() != "127.0.0.2" {
							t.Errorf("the local address is %v", c.LocalAddr())
						}
						return c, err
					})
			}
			for _, network := range []string{"unix", "unixpacket"} {
				l, err := ListenUnix(network, &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: network})
				must(t, err)
				addr := l.Addr().(*net.UnixAddr)
				talk(l, l.AcceptUnix,
					func() (*Conn, error) { return DialUnix(network, nil, addr) },
					func() (*Conn, error) {
						local := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "c"), Net: network}
						c, err := new(Dialer).DialUnix(context.Background(), network, local, addr)
						if err == nil && c.LocalAddr().String() != local.Name {
							t.Errorf("the local address is %v", c.LocalAddr())
						}
						return c, err
					})
			}
		})
	}
}

// The typed functions' errors are package net's, and say more where netring has more to
// say.
func TestTypedErrors(t *testing.T) {
	text := func(_ any, err error) string { return fmt.Sprint(err) }
	tcp, ux := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, &net.UnixAddr{Name: "/nowhere/s", Net: "unix"}
	for _, tc := range []struct{ got, want string }{
		{text(ListenTCP("unix", nil)), text(net.ListenTCP("unix", nil))},
		{text(ListenTCP("bogus", tcp)), text(net.ListenTCP("bogus", tcp))},
		{text(ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)})), text(net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}))},
		{text(ListenUnix("tcp", ux)), text(net.ListenUnix("tcp", ux))},
		{text(ListenUnix("unix", nil)), text(net.ListenUnix("unix", nil))},
		{text(ListenUnix("unix", ux)), text(net.ListenUnix("unix", ux))},
		{text(DialTCP("unix", nil, tcp)), text(net.DialTCP("unix", nil, tcp))},
		{text(DialTCP("tcp", nil, nil)), text(net.DialTCP("tcp", nil, nil))},
		{text(DialTCP("tcp", nil, tcp)), text(net.DialTCP("tcp", nil, tcp))},
		{text(DialUnix("tcp", nil, ux)), text(net.DialUnix("tcp", nil, ux))},
		{text(DialUnix("unix", nil, nil)), text(net.DialUnix("unix", nil, nil))},
		{text(DialUnix("unix", nil, ux)), text(net.DialUnix("unix", nil, ux))},
	} {
		if tc.got != tc.want {
			t.Errorf("error %q, package net's %q", tc.got, tc.want)
		}
	}
	rings(t, func(t *testing.T, s *stack) {
		l := s.listen(t).(*Listener)
		if _, err := l.AcceptUnix(); err == nil || !strings.HasSuffix(err.Error(), `the listener's network is "tcp", not one of ["unix" "unixpacket"]; use AcceptConn`) {
			t.Errorf("AcceptUnix: %v", err)
		}
		if _, err := new(Listener).AcceptTCP(); err == nil {
			t.Error("AcceptTCP of the zero Listener succeeds")
		}
	})
}

// With EngineNet, there is no type of netring's to return.
func TestTypedWithEngineNet(t *testing.T) {
	setEngine(t, "net")
	const want = "so %s has no type of netring's to return; use %s, or another engine"
	l, err := ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf(want, "ListenTCP", "Listen")) {
		t.Errorf("ListenTCP: %v, %v", l, err)
	}
	std, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer std.Close()
	c, err := DialTCP("tcp", nil, std.Addr().(*net.TCPAddr))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf(want, "DialTCP", "Dial")) {
		t.Errorf("DialTCP: %v, %v", c, err)
	}
}
