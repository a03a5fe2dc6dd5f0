package netring

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// FileListener is [FileListener] with lc's Poller, write buffer and keep-alive settings.
// lc.Control is not called. With EngineNet, the result is package net's own listener.
func (lc *ListenConfig) FileListener(f *os.File) (net.Listener, error) {
	sl, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	l, err := lc.Wrap(sl)
	if err != nil {
		return nil, errjoin.Join(err, closeAfter(sl))
	}
	return l, nil
}

// Wrap is [Wrap] with lc's Poller, write buffer and keep-alive settings. lc.Control is
// not called. With EngineNet, Wrap returns l.
func (lc *ListenConfig) Wrap(l net.Listener) (_ net.Listener, err error) {
	if own, ok := l.(*Listener); ok {
		return own, nil
	}
	network, err := listenerNetwork(l)
	if err != nil {
		return nil, listenError(network, l.Addr(), err)
	}
	p, buffer, err := acquireFor(lc.Poller, network, "ListenConfig.WriteBuffer", lc.WriteBuffer)
	if err != nil {
		return nil, listenError(network, l.Addr(), err)
	}
	if p.std {
		return l, p.release()
	}
	own, err := takeOver(p, l, lc)
	if err != nil {
		return nil, listenError(network, l.Addr(), errjoin.Join(err, p.release()))
	}
	own.net, own.buffer = network, buffer
	return own, nil
}

// FileConn is [FileConn] with d's Poller and write buffer. With EngineNet, the result is
// package net's own connection.
func (d *Dialer) FileConn(f *os.File) (net.Conn, error) {
	sc, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	c, err := d.WrapConn(sc)
	if err != nil {
		return nil, errjoin.Join(err, closeAfter(sc))
	}
	return c, nil
}

// WrapConn is [WrapConn] with d's Poller and write buffer. With EngineNet, WrapConn
// returns c.
func (d *Dialer) WrapConn(c net.Conn) (_ net.Conn, err error) {
	if own, ok := c.(*Conn); ok {
		return own, nil
	}
	fail := func(network string, err error) error {
		return &net.OpError{Op: "wrap", Net: network, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
	}
	network, err := connNetwork(c)
	if err != nil {
		return nil, fail(network, err)
	}
	p, buffer, err := acquireFor(d.Poller, network, "Dialer.WriteBuffer", d.WriteBuffer)
	if err != nil {
		return nil, fail(network, err)
	}
	if p.std {
		return c, p.release()
	}
	own, err := takeOverConn(p, network, c, buffer)
	if err != nil {
		return nil, fail(network, errjoin.Join(err, p.release()))
	}
	return own, nil
}

// closeAfter closes what a failed takeover left open.
func closeAfter(c io.Closer) error {
	if closeErr := c.Close(); !errors.Is(closeErr, net.ErrClosed) {
		return closeErr
	}
	return nil // closing was what failed
}

// listenerNetwork returns the network of a listener that Wrap can take over.
func listenerNetwork(l net.Listener) (network string, err error) {
	s, err := socketOf(l)
	if err != nil {
		return "", err
	}
	network, err = streamNetwork(l, s)
	if err != nil {
		return network, err
	}
	listens, err := intOption(s, unix.SO_ACCEPTCONN)
	if err == nil && listens == 0 {
		err = wrongSocketError(l, "does not listen", "WrapConn for a connection")
	}
	return network, err
}

// connNetwork returns the network of a connection that WrapConn can take over.
func connNetwork(c net.Conn) (network string, err error) {
	s, err := socketOf(c)
	if err != nil {
		return "", err
	}
	network, err = streamNetwork(c, s)
	if err != nil {
		return network, err
	}
	err = control(s, func(sysfd int) error {
		_, err := unix.Getpeername(sysfd)
		return os.NewSyscallError("getpeername", err)
	})
	return network, err
}

// streamNetwork returns the network of a stream socket.
func streamNetwork(v any, s syscall.Conn) (network string, err error) {
	typ, err := intOption(s, unix.SO_TYPE)
	if err != nil {
		return "", err
	}
	domain, err := intOption(s, unix.SO_DOMAIN)
	if err != nil {
		return "", err
	}
	switch domain {
	case unix.AF_INET, unix.AF_INET6:
		network = "tcp"
	case unix.AF_UNIX:
		network = "unix"
	default:
		return "", wrongSocketError(v, "is of another address family than IP and unix", "package net")
	}
	if typ != unix.SOCK_STREAM {
		return network, wrongSocketError(v, "is not a stream socket", "package net")
	}
	return network, nil
}

// intOption returns a socket option of level SOL_SOCKET.
func intOption(s syscall.Conn, name int) (value int, err error) {
	err = control(s, func(sysfd int) (err error) {
		value, err = unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, name)
		return os.NewSyscallError("getsockopt", err)
	})
	return value, err
}

// control calls f with the descriptor of s.
func control(s syscall.Conn, f func(sysfd int) error) error {
	rc, err := s.SyscallConn()
	if err != nil {
		return err
	}
	ctlErr := rc.Control(func(sysfd uintptr) { err = f(int(sysfd)) })
	return errjoin.Join(ctlErr, err)
}
