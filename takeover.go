package netring

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/netring-go/netring/internal/errjoin"
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

// FileListener is [FileListener] with lc's Poller, write buffer and, on Linux, keep-alive
// settings. lc.Control is not called. With EngineNet, the result is package net's own listener.
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

// closeAfter closes what a failed takeover left open.
func closeAfter(c io.Closer) error {
	if closeErr := c.Close(); !errors.Is(closeErr, net.ErrClosed) {
		return closeErr
	}
	return nil // closing was what failed
}

// noSocketError says why v cannot be wrapped.
func noSocketError(v any) error {
	inner := "the inner one"
	if _, ok := v.(interface{ NetConn() net.Conn }); ok { // such as *tls.Conn
		inner = "the connection that its NetConn method returns"
	}
	return fmt.Errorf("netring: a %T has no socket of its own; wrap %s", v, inner)
}
