package netring

import (
	"context"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/netring-go/netring/internal/errjoin"
)

// streamListener has the methods that *net.TCPListener and *net.UnixListener share.
type streamListener interface {
	net.Listener
	syscall.Conn
	SetDeadline(t time.Time) error
	File() (*os.File, error)
}

var (
	_ streamListener = (*net.TCPListener)(nil)
	_ streamListener = (*net.UnixListener)(nil)
)

// portableListener is Listener on top of package net. Outside Linux, Listener embeds
// portableListener. On Linux, only tests use it.
type portableListener struct {
	std     streamListener
	network string
	poller  *portablePoller
	cleanup runtime.Cleanup

	counted  atomic.Uint64 // connections that Accept returned
	backoffs backoffs
}

// listen is ListenConfig.Listen. It makes l the listener. With EngineNet, it returns
// package net's own listener instead. If p is nil, the listener is on the default one.
func (l *portableListener) listen(ctx context.Context, lc *ListenConfig, p *portablePoller, network, address string) (own net.Listener, err error) {
	p, err = acquirePortable(p, network, "ListenConfig.Coalesce", lc.Coalesce)
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	std := lc.netListenConfig()
	sl, err := std.Listen(ctx, network, address)
	if err != nil || p.std {
		return sl, err
	}
	s := sl.(streamListener) // networkError admits no other type
	if err := p.add(s); err != nil {
		return nil, listenError(network, sl.Addr(), errjoin.Join(err, sl.Close()))
	}
	l.init(p, network, s)
	return nil, nil
}

// init makes l a listener of p, which knows s.
func (l *portableListener) init(p *portablePoller, network string, s streamListener) {
	l.std, l.network, l.poller = s, network, p
	// The Poller refers to s, so package net's own cleanup cannot run.
	l.cleanup = runtime.AddCleanup(l, func(o portableOrphan) { o.close() }, portableOrphan{p, s})
}

func (l *portableListener) ok() bool { return l != nil && l.std != nil }

// accept waits for the next connection and makes c that connection.
func (l *portableListener) accept(c *portableConn) error {
	if !l.ok() {
		return syscall.EINVAL
	}
	std, err := l.std.Accept()
	if err != nil {
		if isTemporary(err) {
			l.backoffs.note(l.poller.cfg.Logger, l.std.Addr(), err)
		}
		return err
	}
	l.counted.Add(1)
	if err := c.init(l.poller, l.network, std); err != nil {
		return &net.OpError{Op: "accept", Net: l.network, Source: nil, Addr: l.std.Addr(), Err: errjoin.Join(err, std.Close())}
	}
	runtime.KeepAlive(l)
	return nil
}

// Stats returns the Listener's counters. They remain readable after Close.
func (l *portableListener) Stats() ListenerStats {
	if !l.ok() {
		return ListenerStats{}
	}
	return ListenerStats{Accepted: l.counted.Load(), AcceptBackoffs: l.backoffs.n.Load()}
}

// Close implements net.Listener. An Accept under way returns net.ErrClosed. When Close
// returns, the address is free.
func (l *portableListener) Close() error {
	if !l.ok() {
		return syscall.EINVAL
	}
	l.cleanup.Stop()
	l.poller.remove(l.std)
	return l.std.Close()
}

// Addr implements net.Listener. Callers share the returned address and must not
// change it.
func (l *portableListener) Addr() net.Addr {
	if !l.ok() {
		return nil
	}
	return l.std.Addr()
}

// SetUnlinkOnClose sets whether Close removes the socket file of a unix listener.
// The default is true. It has no effect on other listeners.
func (l *portableListener) SetUnlinkOnClose(unlink bool) {
	if ul, ok := l.std.(interface{ SetUnlinkOnClose(bool) }); ok { // not for the zero Listener
		ul.SetUnlinkOnClose(unlink)
	}
}

// SetDeadline sets the deadline of Accept; the zero time means none. Like
// *net.TCPListener, Listener does not wrap the error in a *net.OpError.
func (l *portableListener) SetDeadline(t time.Time) error {
	if !l.ok() {
		return syscall.EINVAL
	}
	err := l.std.SetDeadline(t)
	runtime.KeepAlive(l)
	return err
}

// SyscallConn implements syscall.Conn. The raw connection is package net's. Its Read
// and Write fail.
func (l *portableListener) SyscallConn() (syscall.RawConn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	rc, err := l.std.SyscallConn()
	runtime.KeepAlive(l)
	return rc, err
}

// File returns a duplicate of the listener's descriptor, for example for another
// process. The caller must close the File; that does not close the listener. On
// Windows, File fails, like package net's.
func (l *portableListener) File() (*os.File, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	f, err := l.std.File()
	runtime.KeepAlive(l)
	return f, err
}
