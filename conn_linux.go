package netring

import (
	"context"
	"errors"
	"net"
	"runtime"
	"runtime/trace"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor"
)

var _ net.Conn = (*Conn)(nil)

// Conn is a stream connection whose operations run on a Poller's reactor. It
// behaves like *net.TCPConn or *net.UnixConn. All methods may be called concurrently.
//
// A Conn that becomes unreachable without having been closed is closed, like
// package net's.
type Conn struct {
	fd           *reactor.FD
	poller       *Poller
	net          string
	laddr, raddr net.Addr
	traced       bool // Config.Trace
	dialled      bool
	cleanup      runtime.Cleanup
}

// newConn makes a Conn of the connected socket sysfd on p, with a write buffer of the
// given size. The caller has acquired p for the Conn. On failure, the caller still owns
// sysfd and the use of p.
func newConn(p *Poller, sysfd int, tcp bool, network string, laddr, raddr net.Addr, buffer int) (*Conn, error) {
	fd, err := p.place().NewFD(sysfd, tcp)
	if err != nil {
		return nil, err
	}
	if buffer > 0 && network != "unixpacket" { // see keepsBoundaries
		// Nothing is buffered yet, so this fails only if the Poller is closed. Then every
		// other call fails, too.
		_ = fd.SetCoalescing(buffer)
	}
	c := &Conn{fd: fd, poller: p, net: network, laddr: laddr, raddr: raddr, traced: p.cfg.Trace}
	c.cleanup = runtime.AddCleanup(c, func(o orphan) { o.close() }, orphan{fd, p})
	return c, nil
}

// orphan is what closing an unreachable Conn needs.
type orphan struct {
	fd     *reactor.FD
	poller *Poller
}

// close closes the connection. Nobody is left to receive its error.
func (o orphan) close() { _ = o.fd.CloseThen(o.poller.release) }

// keepsBoundaries reports whether c is a connection of messages, which do not merge.
func (c *Conn) keepsBoundaries() bool { return c.net == "unixpacket" }

func (c *Conn) ok() bool { return c != nil && c.fd != nil }

// Read implements net.Conn. It returns the bytes that have arrived, up to len(p),
// and waits only if there are none. Its errors are io.EOF and *net.OpError.
func (c *Conn) Read(p []byte) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	if c.traced && trace.IsEnabled() {
		defer trace.StartRegion(context.Background(), "netring.Read").End()
	}
	n, err := c.fd.Read(p)
	if err != nil {
		err = c.opError("read", "read", err)
	}
	runtime.KeepAlive(c) // else c's cleanup could close the descriptor during the call
	return n, err
}

// Unread returns the number of bytes that the connection received beyond a read of
// less than 512 bytes. Reading these bytes does not wait.
func (c *Conn) Unread() int {
	if !c.ok() {
		return 0
	}
	n := c.fd.Unread()
	runtime.KeepAlive(c)
	return n
}

// Buffered returns the number of bytes in the write buffer, see [Config].Coalesce: bytes
// that were written and have yet to leave. A Write waits if these and its own bytes exceed
// the size of the write buffer. A broadcaster, which must not wait, can check that first
// and drop a slow connection.
func (c *Conn) Buffered() int {
	if !c.ok() {
		return 0
	}
	n := c.fd.Buffered()
	runtime.KeepAlive(c)
	return n
}

// Write implements net.Conn. It returns when the kernel has taken all of p. On
// failure, it returns an error and the number of bytes that the kernel has taken. With
// a write buffer, Write may return once it has copied p, see [Config].Coalesce.
func (c *Conn) Write(p []byte) (int, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	if c.traced && trace.IsEnabled() {
		defer trace.StartRegion(context.Background(), "netring.Write").End()
	}
	n, err := c.fd.Write(p)
	if err != nil {
		err = c.opError("write", "write", err)
	}
	runtime.KeepAlive(c)
	return n, err
}

// Close implements net.Conn. Calls under way return net.ErrClosed. When Close returns,
// the descriptor is free. The exception is a connection whose buffered writes are still
// unsent, see [Config].Coalesce.
func (c *Conn) Close() error {
	if !c.ok() {
		return syscall.EINVAL
	}
	err := c.fd.CloseThen(c.poller.release)
	if !errors.Is(err, net.ErrClosed) {
		c.cleanup.Stop()
	}
	return c.opError("close", "close", err)
}

// LocalAddr implements net.Conn. Callers share the returned address and must not
// change it.
func (c *Conn) LocalAddr() net.Addr {
	if !c.ok() {
		return nil
	}
	return c.laddr
}

// RemoteAddr implements net.Conn. Callers share the returned address and must not
// change it.
func (c *Conn) RemoteAddr() net.Addr {
	if !c.ok() {
		return nil
	}
	return c.raddr
}

// SetDeadline implements net.Conn. The deadline also applies to calls under way: a
// deadline in the past ends a Read or Write that waits. A Read that times out loses no
// byte.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadline(t, true, true) }

// SetReadDeadline implements net.Conn, see SetDeadline.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, true, false) }

// SetWriteDeadline implements net.Conn, see SetDeadline. A Write that times out
// returns the number of bytes it has sent.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, false, true) }

func (c *Conn) setDeadline(t time.Time, read, write bool) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	err := c.fd.SetDeadline(t, read, write)
	runtime.KeepAlive(c)
	return c.setError("", err)
}

// CloseRead shuts down the reading side of the connection. Most callers should
// use Close.
func (c *Conn) CloseRead() error { return c.shutdown(unix.SHUT_RD) }

// CloseWrite shuts down the writing side of the connection: the peer reads what
// was written, then io.EOF. With a write buffer, CloseWrite waits until the buffer is
// sent. If the write deadline passes first, CloseWrite returns os.ErrDeadlineExceeded
// and changes nothing; it may be called again.
func (c *Conn) CloseWrite() error { return c.shutdown(unix.SHUT_WR) }

func (c *Conn) shutdown(how int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	err := c.fd.Shutdown(how)
	runtime.KeepAlive(c)
	return c.opError("close", "shutdown", err)
}
