package netring

import (
	"fmt"
	"net"
	"os"
	"reflect"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

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
	p, buffer, err := acquireFor(lc.Poller, network, "ListenConfig.Coalesce", lc.Coalesce)
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
	p, buffer, err := acquireFor(d.Poller, network, "Dialer.Coalesce", d.Coalesce)
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
	p.n.takenOver.Add(1)
	return own, nil
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
	if domain == unix.AF_UNIX && typ == unix.SOCK_SEQPACKET {
		return "unixpacket", nil
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

// duplicate returns a close-on-exec duplicate of c's descriptor. Both are non-blocking
// afterwards, as package net's are and others may not have been.
func duplicate(c syscall.Conn) (sysfd int, err error) {
	sysfd = -1
	err = control(c, func(s int) (err error) {
		if err := unix.SetNonblock(s, true); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		sysfd, err = unix.FcntlInt(uintptr(s), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	return sysfd, err
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

// wrongSocketError says that a socket cannot be wrapped.
func wrongSocketError(v any, is, use string) error {
	return fmt.Errorf("netring: the socket of the %T %s; use %s", v, is, use)
}

// unlinker is a *net.UnixListener, or embeds one.
type unlinker interface{ SetUnlinkOnClose(unlink bool) }

// unlinks reports whether Close of l removes the socket's file. Package net does not
// tell, so unlinks reads the field of a *net.UnixListener. Without the field, it reports
// what holds for listeners that package net has made.
func unlinks(l unlinker) bool {
	ul, ok := l.(*net.UnixListener)
	if !ok {
		return true
	}
	f := reflect.ValueOf(ul).Elem().FieldByName("unlink")
	return f.Kind() != reflect.Bool || f.Bool()
}

// socketOf returns the socket of a listener or connection.
func socketOf(v any) (syscall.Conn, error) {
	if c, ok := v.(syscall.Conn); ok {
		return c, nil
	}
	return nil, noSocketError(v)
}
