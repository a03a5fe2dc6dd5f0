package netring

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor"
)

var _ net.Listener = (*Listener)(nil)

// Listener is a listening socket whose operations run on a Poller's reactor. It
// behaves like *net.TCPListener or *net.UnixListener. All methods may be called
// concurrently.
//
// A Listener that becomes unreachable without having been closed is closed, like
// package net's.
type Listener struct {
	fd      *reactor.Listener
	poller  *Poller
	net     string
	addr    net.Addr
	cleanup runtime.Cleanup

	socket     socketOptions
	file       *socketFile // nil: none to remove on Close
	buffer     int         // Coalesce of accepted connections
	inherits   atomic.Bool // accepted sockets are known to inherit the options
	noInherit  atomic.Bool // accepted sockets are known not to inherit the options
	fixedLocal bool        // addr is the local address of every connection

	counted  atomic.Uint64 // connections that Accept returned
	backoffs backoffs
}

// orphanListener is what closing a Listener needs, even an unreachable Listener.
type orphanListener struct {
	fd     *reactor.Listener
	poller *Poller
	file   *socketFile
}

// socketFile is the file of a unix socket.
type socketFile struct {
	name string
	keep atomic.Bool
	once sync.Once // a later listener may have a file of the same name
}

// remove removes the file. Like package net, it ignores a missing file.
func (f *socketFile) remove() {
	if f != nil && !f.keep.Load() {
		f.once.Do(func() { _ = os.Remove(f.name) })
	}
}

func (o orphanListener) close() error {
	o.file.remove() // before the socket closes, like package net: a file without a socket would mislead
	err := o.fd.Close()
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	if d := o.fd.Leftover(); d > 0 {
		// Accept still returns connections that the kernel had handed over. The default
		// Poller must live until then. Nobody is left to receive release's error.
		time.AfterFunc(d, func() { _ = o.poller.release() })
		return err
	}
	return errjoin.Join(err, o.poller.release())
}

// setNetwork sets the name of the network in errors, before anybody knows l.
func (l *Listener) setNetwork(network string) { l.net = network }

func (l *Listener) ok() bool { return l != nil && l.fd != nil }

// Accept implements net.Listener. It waits for the next connection, which is a
// *Conn. Its errors are *net.OpError.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err // returning c would make an interface that holds a nil *Conn
	}
	return c, nil
}

// AcceptConn is Accept, but returns a *Conn, as AcceptTCP returns a *net.TCPConn.
func (l *Listener) AcceptConn() (*Conn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	if l.poller.cfg.Trace && trace.IsEnabled() {
		defer trace.StartRegion(context.Background(), "netring.Accept").End()
	}
	c, err := l.accept()
	switch {
	case err == nil:
		l.counted.Add(1)
		l.poller.n.accepted.Add(1)
	case isTemporary(err):
		l.poller.n.backoffs.Add(1)
		l.backoffs.note(l.poller.cfg.Logger, l.addr, err)
	}
	runtime.KeepAlive(l)
	return c, err
}

func (l *Listener) accept() (*Conn, error) {
	a, err := l.fd.Accept()
	if err != nil {
		return nil, l.opError("accept", "", acceptError(err))
	}
	c, err := l.adopt(a)
	if err != nil {
		return nil, l.opError("accept", "", errjoin.Join(err, unix.Close(a.Sysfd)))
	}
	return c, nil
}

// adopt makes an accepted socket a Conn. On failure, the caller still owns the socket.
func (l *Listener) adopt(a reactor.Accepted) (*Conn, error) {
	tcp, err := l.configure(a.Sysfd)
	if err != nil {
		return nil, err
	}
	laddr := l.addr
	if !l.fixedLocal {
		if laddr, err = localAddr(a.Sysfd); err != nil {
			return nil, err
		}
	}
	p, err := acquire(l.poller)
	if err != nil {
		return nil, err
	}
	raddr := netAddr(a.Peer)
	if ua, ok := raddr.(*net.UnixAddr); ok {
		ua.Net = l.addr.Network() // "unix" or "unixpacket"
	}
	c, err := newConn(p, a.Sysfd, tcp, l.net, laddr, raddr, l.buffer)
	if err != nil {
		return nil, errjoin.Join(err, p.release())
	}
	return c, nil
}

// configure sets an accepted socket's options, unless the socket has inherited the
// options from the listener. It reports whether the socket is a plain TCP socket.
func (l *Listener) configure(sysfd int) (tcp bool, err error) {
	if l.socket.protocol == 0 {
		return false, nil // unix
	}
	protocol := l.socket.protocol
	if protocol != unix.IPPROTO_TCP {
		// A Multipath TCP listener accepts both protocols, depending on the peer.
		if protocol, err = unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil {
			return false, os.NewSyscallError("getsockopt", err)
		}
	}
	tcp = protocol == unix.IPPROTO_TCP
	if tcp && l.inherits.Load() {
		return true, nil
	}
	if tcp && !l.noInherit.Load() {
		// The first connection shows whether this kernel passes all options on.
		if l.socket.applied(sysfd) {
			l.inherits.Store(true)
			return true, nil
		}
		l.noInherit.Store(true)
	}
	l.socket.apply(sysfd)
	return tcp, nil
}

// Close implements net.Listener. An Accept under way returns net.ErrClosed. For a
// quarter of a second, Accept still returns connections that the kernel had handed
// over before; then they are closed. When Close returns, the address is free.
func (l *Listener) Close() error {
	if !l.ok() {
		return syscall.EINVAL
	}
	o := orphanListener{l.fd, l.poller, l.file}
	err := o.close()
	l.cleanup.Stop()
	runtime.KeepAlive(l)
	return l.opError("close", "close", err)
}

// Addr implements net.Listener. Callers share the returned address and must not
// change it.
func (l *Listener) Addr() net.Addr { return l.addr }

// SetUnlinkOnClose sets whether Close removes the socket file of a unix listener.
// The default is true. It has no effect on other listeners.
func (l *Listener) SetUnlinkOnClose(unlink bool) {
	if l.file != nil {
		l.file.keep.Store(!unlink)
	}
}

// SetDeadline sets the deadline of Accept; the zero time means none. Like
// *net.TCPListener, Listener does not wrap the error in a *net.OpError.
func (l *Listener) SetDeadline(t time.Time) error {
	if !l.ok() {
		return syscall.EINVAL
	}
	err := l.fd.SetDeadline(t)
	runtime.KeepAlive(l)
	return err
}
