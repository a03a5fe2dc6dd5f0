//go:build linux

package netring

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor"
)

var _ net.Listener = (*Listener)(nil)

// Listen announces on the local network address, see [Listen]. ctx applies to
// the resolution of the address. Its errors are *net.OpError.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	p, buffer, err := acquireFor(lc.Poller, network, "ListenConfig.WriteBuffer", lc.WriteBuffer)
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	placed := false
	defer func() {
		if !placed { // also if Control panics or ends the goroutine
			// Package net's error is what callers know; a failure to end the default
			// Poller cannot be told next to it without changing its type.
			_ = p.release()
		}
	}()
	std := lc.netListenConfig()
	sl, err := std.Listen(ctx, network, address)
	if err != nil || p.std {
		return sl, err
	}
	l, err := takeOver(p, sl, lc)
	if err != nil {
		return nil, listenError(network, sl.Addr(), err)
	}
	placed = true
	l.net, l.buffer = network, buffer
	return l, nil
}

// Listener is a listening socket whose operations run on a Poller's reactor. It
// behaves like *net.TCPListener or *net.UnixListener. All methods may be called
// concurrently.
type Listener struct {
	fd      *reactor.Listener
	poller  *Poller
	net     string
	addr    net.Addr
	cleanup runtime.Cleanup

	socket     socketOptions
	file       *socketFile // nil: none to remove on Close
	buffer     int         // WriteBuffer of accepted connections
	inherits   atomic.Bool // accepted sockets are known to have the options
	noInherit  atomic.Bool // they are known not to have them
	fixedLocal bool        // every connection's local address is addr
}

// takeOver makes a Listener on p, which has been acquired for it, from a duplicate
// of sl's descriptor and closes sl. So resolution, dual stack, Control, backlog and
// Multipath TCP are package net's.
func takeOver(p *Poller, sl net.Listener, lc *ListenConfig) (_ *Listener, err error) {
	sysfd := -1
	defer func() {
		if err != nil && sysfd >= 0 {
			err = errjoin.Join(err, unix.Close(sysfd))
		}
	}()
	l := &Listener{addr: sl.Addr()}
	if ul, ok := sl.(*net.UnixListener); ok {
		// The file stays when sl is closed, and goes when l is.
		ul.SetUnlinkOnClose(false)
		if name := l.addr.String(); name != "" && name[0] != '@' {
			l.file = &socketFile{name: name}
			defer func() {
				if err != nil {
					l.file.remove()
				}
			}()
		}
	}
	sysfd, err = duplicate(sl.(syscall.Conn))
	if err = errjoin.Join(err, sl.Close()); err != nil {
		return nil, err
	}
	if l.socket, err = listenerOptions(sysfd, lc); err != nil {
		return nil, err
	}
	if ta, ok := l.addr.(*net.TCPAddr); ok {
		l.fixedLocal = !ta.IP.IsUnspecified()
		l.noInherit.Store(!l.socket.apply(sysfd))
	} else {
		l.fixedLocal = true
	}
	if l.fd, err = p.acceptor.NewListener(sysfd); err != nil {
		return nil, err
	}
	l.poller = p
	l.cleanup = runtime.AddCleanup(l, func(o orphanListener) { o.close() }, orphanListener{l.fd, p, l.file})
	return l, nil
}

// duplicate returns a close-on-exec duplicate of c's descriptor.
func duplicate(c syscall.Conn) (sysfd int, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	sysfd = -1
	ctlErr := rc.Control(func(s uintptr) {
		sysfd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0)
	})
	return sysfd, errjoin.Join(ctlErr, os.NewSyscallError("fcntl", err))
}

// orphanListener is what is left of a Listener that nobody holds any more.
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

// remove removes the file. Like package net, it does not mind if it is gone.
func (f *socketFile) remove() {
	if f != nil && !f.keep.Load() {
		f.once.Do(func() { _ = os.Remove(f.name) })
	}
}

func (o orphanListener) close() error {
	o.file.remove() // first, as in package net: nobody finds a file without a socket
	err := o.fd.Close()
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	if d := o.fd.Leftover(); d > 0 {
		// The default Poller must not go, and take them along, before they were handed
		// out. Nobody is left then to be told of an error.
		time.AfterFunc(d, func() { _ = o.poller.release() })
		return err
	}
	return errjoin.Join(err, o.poller.release())
}

func (l *Listener) ok() bool { return l != nil && l.fd != nil }

// Accept implements net.Listener. It waits for the next connection, which is a
// *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err // not c: it would be an interface holding nil
	}
	return c, nil
}

// AcceptConn is Accept with the connection's own type, as AcceptTCP is in package
// net.
func (l *Listener) AcceptConn() (*Conn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	c, err := l.accept()
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

// adopt makes an accepted socket a Conn. On failure the caller still owns it.
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
	c, err := newConn(p, a.Sysfd, tcp, l.net, laddr, netAddr(a.Peer), l.buffer)
	if err != nil {
		return nil, errjoin.Join(err, p.release())
	}
	return c, nil
}

// configure gives an accepted socket its options, unless it has inherited them
// from the listener. It reports whether it is a plain TCP socket.
func (l *Listener) configure(sysfd int) (tcp bool, err error) {
	if l.socket.protocol == 0 {
		return false, nil // unix
	}
	protocol := l.socket.protocol
	if protocol != unix.IPPROTO_TCP {
		// A Multipath TCP listener accepts both, depending on the peer.
		if protocol, err = unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil {
			return false, os.NewSyscallError("getsockopt", err)
		}
	}
	tcp = protocol == unix.IPPROTO_TCP
	if tcp && l.inherits.Load() {
		return true, nil
	}
	if tcp && !l.noInherit.Load() {
		// The first connection shows whether this kernel lets it inherit everything.
		if l.socket.applied(sysfd) {
			l.inherits.Store(true)
			return true, nil
		}
		l.noInherit.Store(true)
	}
	l.socket.apply(sysfd)
	return tcp, nil
}

// Close implements net.Listener. An Accept under way returns net.ErrClosed.
// Connections that were taken from the backlog before are still handed out to
// Accept for a quarter of a second, then closed. When Close returns, the address
// is free.
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

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }

// SetUnlinkOnClose sets whether Close removes the socket file of a unix listener,
// which it does unless told otherwise. Other listeners have none.
func (l *Listener) SetUnlinkOnClose(unlink bool) {
	if l.file != nil {
		l.file.keep.Store(!unlink)
	}
}

// SetDeadline sets the deadline of Accept; the zero time means none. Like
// *net.TCPListener's, its error is not wrapped.
func (l *Listener) SetDeadline(t time.Time) error {
	if !l.ok() {
		return syscall.EINVAL
	}
	err := l.fd.SetDeadline(t)
	runtime.KeepAlive(l)
	return err
}
