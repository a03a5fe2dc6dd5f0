package netring

import (
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// stream has the methods that *net.TCPConn and *net.UnixConn share.
type stream interface {
	net.Conn
	syscall.Conn
	CloseRead() error
	CloseWrite() error
	File() (*os.File, error)
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

var (
	_ stream = (*net.TCPConn)(nil)
	_ stream = (*net.UnixConn)(nil)

	_ stream        = (*portableConn)(nil)
	_ io.ReaderFrom = (*portableConn)(nil)
	_ io.WriterTo   = (*portableConn)(nil)
)

// portableConn is Conn on top of package net. Outside Linux, Conn embeds portableConn.
// On Linux, only tests use it.
type portableConn struct {
	std     stream
	tcp     *net.TCPConn // std as a TCP connection, nil if it is a unix connection
	network string
	poller  *portablePoller
	cleanup runtime.Cleanup

	// A call holds the lock of its kind for reading; package net orders the calls of one
	// kind. Detach holds all locks for writing, so it waits for the calls under way. A
	// call that holds its lock must not make another call: a Detach that waits between
	// the two would block both.
	calls    [callKinds]sync.RWMutex
	detached bool // guarded by any of calls
}

// callKind is the kind of a call. Detach waits for the kinds in this order. Control
// calls come last, so that Close can end the others while Detach waits.
type callKind int

const (
	callRead callKind = iota
	callWrite
	callControl
	callKinds
)

// init makes c a connection of p that wraps std. On failure, the caller still owns
// std.
func (c *portableConn) init(p *portablePoller, network string, std net.Conn) error {
	s := std.(stream) // networkError admits no other type
	if err := p.add(s); err != nil {
		return err
	}
	c.std, c.network, c.poller = s, network, p
	c.tcp, _ = s.(*net.TCPConn)
	// The Poller refers to s, so package net's own cleanup cannot run.
	c.cleanup = runtime.AddCleanup(c, func(o portableOrphan) { o.close() }, portableOrphan{p, s})
	return nil
}

func (c *portableConn) ok() bool { return c != nil && c.std != nil }

// call runs f as a call of the given kind. If c is detached, call returns an error
// with Op op.
func (c *portableConn) call(kind callKind, op string, f func() error) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	c.calls[kind].RLock()
	defer c.calls[kind].RUnlock() // refers to c, so c's cleanup does not run during f
	if c.detached {
		return c.opError(op, net.ErrClosed)
	}
	return f()
}

// opError wraps err as package net does. It returns nil for nil.
func (c *portableConn) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	if op == "set" {
		return &net.OpError{Op: op, Net: c.network, Source: nil, Addr: c.std.LocalAddr(), Err: err}
	}
	return &net.OpError{Op: op, Net: c.network, Source: c.std.LocalAddr(), Addr: c.std.RemoteAddr(), Err: err}
}

// Read implements net.Conn. It returns the bytes that have arrived, up to len(p),
// and waits only if there are none. Its errors are io.EOF and *net.OpError.
func (c *portableConn) Read(p []byte) (n int, err error) {
	err = c.call(callRead, "read", func() (err error) {
		n, err = c.std.Read(p)
		return err
	})
	return n, err
}

// Write implements net.Conn. It returns when the kernel has taken all of p. On
// failure, it returns an error and the number of bytes that the kernel has taken.
// Outside Linux, Write never buffers, whatever [Config].Coalesce is.
func (c *portableConn) Write(p []byte) (n int, err error) {
	err = c.call(callWrite, "write", func() (err error) {
		n, err = c.std.Write(p)
		return err
	})
	return n, err
}

// Writev writes all pieces, in order, as one Write: no other write comes in between.
// It makes as few system calls as net.Buffers does, and does not change bufs. Writev
// returns the number of bytes written and, unless it wrote all, an error like Write's.
func (c *portableConn) Writev(bufs [][]byte) (n int64, err error) {
	err = c.call(callWrite, "writev", func() (err error) {
		pieces := append(net.Buffers(nil), bufs...) // WriteTo consumes them
		n, err = pieces.WriteTo(c.std)
		return err
	})
	return n, err
}

// Buffered returns the number of bytes in the write buffer, see [Config].Coalesce. Outside
// Linux, nothing is buffered, so Buffered returns 0.
func (c *portableConn) Buffered() int { return 0 }

// Flush waits until the kernel has taken everything that was written. Outside Linux,
// nothing is buffered, so Flush does not wait. It fails like a Write: after Close, or
// if the write deadline has passed.
func (c *portableConn) Flush() error {
	return c.call(callWrite, "write", func() error {
		rc, err := c.std.SyscallConn()
		if err != nil {
			return err
		}
		return c.opError("write", inner(rc.Write(func(uintptr) bool { return true })))
	})
}

// SetCoalescing sets the size of the connection's write buffer: 512 bytes to
// 16 MiB, or 0 for none, see [Config].Coalesce. Outside Linux, a Write never
// buffers, so SetCoalescing only checks the size. Its errors have Op "set".
func (c *portableConn) SetCoalescing(bytes int) error {
	return c.call(callControl, "set", func() error {
		if bytes != 0 && !validCoalesce(bytes) {
			return c.opError("set", coalescingError(bytes))
		}
		if bytes > 0 && c.network == "unixpacket" {
			return c.opError("set", errBoundaries)
		}
		rc, err := c.std.SyscallConn()
		if err != nil {
			return err
		}
		return c.opError("set", inner(rc.Control(func(uintptr) {}))) // fails if c is closed
	})
}

// inner returns the error that a *net.OpError wraps.
func inner(err error) error {
	if oe, ok := err.(*net.OpError); ok {
		return oe.Err
	}
	return err
}

// Close implements net.Conn. Calls under way return net.ErrClosed.
func (c *portableConn) Close() error {
	return c.call(callControl, "close", func() error {
		c.cleanup.Stop()
		c.poller.remove(c.std)
		return c.std.Close()
	})
}

// LocalAddr implements net.Conn. Callers share the returned address and must not
// change it.
func (c *portableConn) LocalAddr() net.Addr {
	if !c.ok() {
		return nil
	}
	return c.std.LocalAddr()
}

// RemoteAddr implements net.Conn. Callers share the returned address and must not
// change it.
func (c *portableConn) RemoteAddr() net.Addr {
	if !c.ok() {
		return nil
	}
	return c.std.RemoteAddr()
}

// SetDeadline implements net.Conn. The deadline also applies to calls under way: a
// deadline in the past ends a Read or Write that waits. A Read that times out loses no
// byte.
func (c *portableConn) SetDeadline(t time.Time) error {
	return c.call(callControl, "set", func() error { return c.std.SetDeadline(t) })
}

// SetReadDeadline implements net.Conn, see SetDeadline.
func (c *portableConn) SetReadDeadline(t time.Time) error {
	return c.call(callControl, "set", func() error { return c.std.SetReadDeadline(t) })
}

// SetWriteDeadline implements net.Conn, see SetDeadline. A Write that times out
// returns the number of bytes it has sent.
func (c *portableConn) SetWriteDeadline(t time.Time) error {
	return c.call(callControl, "set", func() error { return c.std.SetWriteDeadline(t) })
}

// CloseRead shuts down the reading side of the connection. Most callers should
// use Close.
func (c *portableConn) CloseRead() error {
	return c.call(callControl, "close", func() error { return c.std.CloseRead() })
}

// CloseWrite shuts down the writing side of the connection: the peer reads what
// was written, then io.EOF.
func (c *portableConn) CloseWrite() error {
	return c.call(callControl, "close", func() error { return c.std.CloseWrite() })
}

// Unread returns the number of bytes that the connection received beyond a read of
// less than 512 bytes. Outside Linux, nothing is received ahead, so Unread returns 0.
func (c *portableConn) Unread() int { return 0 }

// SyscallConn implements syscall.Conn. The raw connection is package net's.
func (c *portableConn) SyscallConn() (rc syscall.RawConn, err error) {
	err = c.call(callControl, "raw-control", func() (err error) {
		rc, err = c.std.SyscallConn()
		return err
	})
	return rc, err
}

// File returns a duplicate of the connection's descriptor. The caller must close the
// File; that does not close the connection. On Windows, File fails, like package
// net's.
func (c *portableConn) File() (f *os.File, err error) {
	err = c.call(callControl, "file", func() (err error) {
		f, err = c.std.File()
		return err
	})
	return f, err
}

// Detach turns the connection into a *net.TCPConn, for code that needs one. The caller
// must close the returned connection, which has no deadlines. c is closed. Detach
// waits for calls under way.
func (c *portableConn) Detach() (*net.TCPConn, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	if c.tcp == nil {
		return nil, c.opError("detach", errNotTCP)
	}
	for kind := range c.calls {
		c.calls[kind].Lock()
		defer c.calls[kind].Unlock()
	}
	if c.detached {
		return nil, c.opError("detach", net.ErrClosed)
	}
	if err := c.tcp.SetDeadline(time.Time{}); err != nil { // fails if c is closed
		return nil, c.opError("detach", inner(err))
	}
	c.detached = true
	c.cleanup.Stop()
	c.poller.remove(c.std)
	return c.tcp, nil
}
