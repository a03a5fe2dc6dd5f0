package netring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/netring-go/netring/internal/errjoin"
)

// ListenTCP is net.ListenTCP, but returns a *Listener on the default Poller. The network
// must be "tcp", "tcp4" or "tcp6". With EngineNet, which has no *Listener, ListenTCP
// fails; Listen works with every engine.
func ListenTCP(network string, laddr *net.TCPAddr) (*Listener, error) {
	sl, err := net.ListenTCP(network, laddr)
	if err != nil {
		return nil, err
	}
	return typedListener("ListenTCP", network, sl)
}

// ListenUnix is net.ListenUnix, but returns a *Listener on the default Poller. The
// network must be "unix" or "unixpacket". With EngineNet, ListenUnix fails, see
// ListenTCP.
func ListenUnix(network string, laddr *net.UnixAddr) (*Listener, error) {
	sl, err := net.ListenUnix(network, laddr)
	if err != nil {
		return nil, err
	}
	return typedListener("ListenUnix", network, sl)
}

// typedListener takes over sl for the named function.
func typedListener(fn, network string, sl net.Listener) (*Listener, error) {
	var lc ListenConfig
	l, err := lc.Wrap(sl)
	if err == nil && l == sl {
		err = listenError(network, sl.Addr(), typedError(fn, "Listen"))
	}
	if err != nil {
		return nil, errjoin.Join(err, closeAfter(sl))
	}
	own := l.(*Listener)
	own.setNetwork(network)
	return own, nil
}

// typedError is the error of a function that returns one of netring's types, with
// EngineNet. use is the function that returns an interface.
func typedError(fn, use string) error {
	return fmt.Errorf("netring: the engine is %v, so %s has no type of netring's to return; use %s, or another engine", EngineNet, fn, use)
}

// AcceptTCP is AcceptConn of a TCP listener. Its errors are *net.OpError.
func (l *Listener) AcceptTCP() (*Conn, error) { return l.acceptOnly("tcp") }

// AcceptUnix is AcceptConn of a unix listener. Its errors are *net.OpError.
func (l *Listener) AcceptUnix() (*Conn, error) { return l.acceptOnly("unix", "unixpacket") }

// acceptOnly is AcceptConn of a listener whose address has one of the given networks.
func (l *Listener) acceptOnly(networks ...string) (*Conn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	if a := l.Addr(); !slices.Contains(networks, a.Network()) {
		return nil, &net.OpError{Op: "accept", Net: a.Network(), Source: nil, Addr: a,
			Err: fmt.Errorf("netring: the listener's network is %q, not one of %q; use AcceptConn", a.Network(), networks)}
	}
	return l.AcceptConn()
}

// DialTCP is net.DialTCP, but returns a *Conn on the default Poller. The network must be
// "tcp", "tcp4" or "tcp6". With EngineNet, which has no *Conn, DialTCP fails; Dial works
// with every engine.
func DialTCP(network string, laddr, raddr *net.TCPAddr) (*Conn, error) {
	var d Dialer
	return d.dialTCP(context.Background(), network, laddr, raddr)
}

// DialUnix is net.DialUnix, but returns a *Conn on the default Poller. The network must
// be "unix" or "unixpacket". With EngineNet, DialUnix fails, see DialTCP.
func DialUnix(network string, laddr, raddr *net.UnixAddr) (*Conn, error) {
	var d Dialer
	return d.DialUnix(context.Background(), network, laddr, raddr)
}

// DialTCP connects to raddr, like net.Dialer's method of Go 1.26. laddr is the local
// address, in place of d.LocalAddr; the zero AddrPort means any. DialTCP fails with
// EngineNet, see the function [DialTCP].
func (d *Dialer) DialTCP(ctx context.Context, network string, laddr, raddr netip.AddrPort) (*Conn, error) {
	var local *net.TCPAddr
	if laddr.IsValid() {
		local = net.TCPAddrFromAddrPort(laddr)
	}
	return d.dialTCP(ctx, network, local, net.TCPAddrFromAddrPort(raddr))
}

func (d *Dialer) dialTCP(ctx context.Context, network string, laddr, raddr *net.TCPAddr) (*Conn, error) {
	return d.dialTyped(ctx, "DialTCP", []string{"tcp", "tcp4", "tcp6"}, network, addrOrNil(laddr), addrOrNil(raddr))
}

// DialUnix connects to raddr, like net.Dialer's method of Go 1.26. laddr is the local
// address, in place of d.LocalAddr; nil means none. DialUnix fails with EngineNet, see
// the function [DialTCP].
func (d *Dialer) DialUnix(ctx context.Context, network string, laddr, raddr *net.UnixAddr) (*Conn, error) {
	return d.dialTyped(ctx, "DialUnix", []string{"unix", "unixpacket"}, network, addrOrNil(laddr), addrOrNil(raddr))
}

// addrOrNil returns a as an interface, which is nil if a is.
func addrOrNil[T any, A interface {
	*T
	net.Addr
}](a A) net.Addr {
	if a == nil {
		return nil
	}
	return a
}

var errMissingAddress = errors.New("missing address") // package net's text

// dialTyped dials remote for the named function, which serves the given networks.
func (d *Dialer) dialTyped(ctx context.Context, fn string, networks []string, network string, local, remote net.Addr) (*Conn, error) {
	fail := func(err error) (*Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Source: local, Addr: remote, Err: err}
	}
	switch {
	case !slices.Contains(networks, network):
		return fail(net.UnknownNetworkError(network))
	case remote == nil:
		return fail(errMissingAddress)
	}
	typed := *d
	typed.LocalAddr = local
	c, err := typed.DialContext(ctx, network, remote.String())
	if err != nil {
		return nil, err
	}
	own, ok := c.(*Conn)
	if !ok {
		return fail(errjoin.Join(typedError(fn, "Dial"), c.Close()))
	}
	return own, nil
}
