//go:build !linux

package netring

import (
	"net"
	"os"

	"github.com/netring-go/netring/internal/errjoin"
)

// FileListener is [FileListener] with lc's Poller and write buffer. With EngineNet, the
// result is package net's own listener.
func (lc *ListenConfig) FileListener(f *os.File) (net.Listener, error) {
	sl, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	l, err := lc.Wrap(sl)
	if err != nil {
		return nil, errjoin.Join(err, sl.Close())
	}
	return l, nil
}

// Wrap is [Wrap] with lc's Poller and write buffer. With EngineNet, Wrap returns l.
func (lc *ListenConfig) Wrap(l net.Listener) (net.Listener, error) {
	if own, ok := l.(*Listener); ok {
		return own, nil
	}
	own := new(Listener)
	std, err := own.wrap(lc, lc.Poller.portable(), l)
	if err != nil || std != nil {
		return std, err
	}
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
		return nil, errjoin.Join(err, sc.Close())
	}
	return c, nil
}

// WrapConn is [WrapConn] with d's Poller and write buffer. With EngineNet, WrapConn
// returns c.
func (d *Dialer) WrapConn(c net.Conn) (net.Conn, error) {
	if own, ok := c.(*Conn); ok {
		return own, nil
	}
	own := new(Conn)
	std, err := own.wrap(d, d.Poller.portable(), c)
	if err != nil || std != nil {
		return std, err
	}
	return own, nil
}
