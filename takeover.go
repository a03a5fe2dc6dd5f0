package netring

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"reflect"
	"syscall"
)

// FileListener is net.FileListener: it returns a listener for the listening stream
// socket f, which another program, such as systemd, may have made. FileListener
// duplicates the descriptor: closing f does not close the listener, and vice versa.
// Close does not remove the file of a unix socket, unless SetUnlinkOnClose(true) was
// called. The listener is a *Listener on the default Poller. Its errors are
// *net.OpError.
func FileListener(f *os.File) (net.Listener, error) {
	var lc ListenConfig
	return lc.FileListener(f)
}

// FileConn is net.FileConn: it returns a connection for the connected stream socket f.
// FileConn duplicates the descriptor: closing f does not close the connection, and vice
// versa. The connection is a *Conn on the default Poller. Its errors are *net.OpError.
func FileConn(f *os.File) (net.Conn, error) {
	var d Dialer
	return d.FileConn(f)
}

// Wrap moves a listener to the default Poller. It takes a *net.TCPListener, a
// *net.UnixListener or any other listener on a stream socket that implements
// syscall.Conn; the result is a *Listener. Connections that wait to be accepted stay. A
// *Listener is returned as it is. On success, l is closed, without removing the file of a
// unix socket; the returned listener's Close removes the file if l's did.
//
// Wrap fails for a listener without a socket of its own, such as a TLS listener: wrap
// the inner listener. On failure, l stays open.
func Wrap(l net.Listener) (net.Listener, error) {
	var lc ListenConfig
	return lc.Wrap(l)
}

// WrapConn moves a connection to the default Poller. It takes a *net.TCPConn, a
// *net.UnixConn or any other connection on a stream socket that implements syscall.Conn
// and holds no bytes of its own; the result is a *Conn. A *Conn is returned as it is. On
// success, c is closed, which the peer does not notice, and its deadlines are gone.
//
// WrapConn fails for a connection without a socket of its own, such as a TLS
// connection: wrap the inner connection. On failure, c stays open.
func WrapConn(c net.Conn) (net.Conn, error) {
	var d Dialer
	return d.WrapConn(c)
}

// noSocketError says why v cannot be wrapped.
func noSocketError(v any) error {
	inner := "the inner one"
	if _, ok := v.(*tls.Conn); ok {
		inner = "the connection that its NetConn method returns"
	}
	return fmt.Errorf("netring: a %T has no socket of its own; wrap %s", v, inner)
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
