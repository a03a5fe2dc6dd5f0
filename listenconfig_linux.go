package netring

import (
	"context"
	"net"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// Listen announces on the local network address, see [Listen]. ctx applies to
// resolving the address. The errors of Listen are *net.OpError.
//
// Package net resolves the address and makes the listening socket; then the reactor
// takes over the socket. With EngineNet, Listen returns package net's own listener.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	p, buffer, err := acquireFor(lc.Poller, network, "ListenConfig.Coalesce", lc.Coalesce)
	if err != nil {
		return nil, listenError(network, nil, err)
	}
	placed := false
	defer func() {
		if !placed { // also if Control panics or ends the goroutine
			// Joining an error of release would change the type of package net's error, which
			// callers know.
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
		return nil, listenError(network, sl.Addr(), errjoin.Join(err, closeAfter(sl)))
	}
	placed = true
	l.net, l.buffer = network, buffer
	return l, nil
}

// takeOver makes a Listener on p from a duplicate of sl's descriptor, and closes sl. The
// caller has acquired p for the Listener. On failure, sl stays open, unless closing it
// is what failed.
func takeOver(p *Poller, sl net.Listener, lc *ListenConfig) (_ *Listener, err error) {
	l := &Listener{addr: sl.Addr(), poller: p}
	sysfd, err := duplicate(sl.(syscall.Conn))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && l.fd == nil {
			err = errjoin.Join(err, unix.Close(sysfd))
		}
	}()
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
		return nil, placeError(err)
	}
	if ul, ok := sl.(unlinker); ok { // also a type that embeds *net.UnixListener
		if name := l.addr.String(); name != "" && name[0] != '@' {
			l.file = &socketFile{name: name}
			l.file.keep.Store(!unlinks(ul))
		}
		// Closing sl leaves the file. Closing l removes the file.
		ul.SetUnlinkOnClose(false)
	}
	if err := sl.Close(); err != nil {
		l.file.remove()
		return nil, errjoin.Join(err, l.fd.Close())
	}
	l.cleanup = runtime.AddCleanup(l, func(o orphanListener) { o.close() }, orphanListener{l.fd, p, l.file})
	return l, nil
}
