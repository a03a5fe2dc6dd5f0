//go:build !linux

package netring

import "net"

var _ net.Listener = (*Listener)(nil)

// Listener is a listening socket. Outside Linux, it wraps a *net.TCPListener or
// *net.UnixListener and behaves like it. All methods may be called concurrently.
//
// A Listener that becomes unreachable without having been closed is closed, like
// package net's.
type Listener struct{ portableListener }

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
	c := new(Conn)
	if err := l.accept(&c.portableConn); err != nil {
		return nil, err
	}
	return c, nil
}

// setNetwork sets the name of the network in errors, before anybody knows l.
func (l *Listener) setNetwork(network string) { l.network = network }
