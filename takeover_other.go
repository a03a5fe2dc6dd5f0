//go:build !linux

package netring

import "net"

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
