package netringgrpc

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/mem"

	"github.com/netring-go/netring"
)

// This is the interface that grpc-go looks for in a connection: readyreader.Reader of its
// internal/transport, which other modules cannot import.
var _ interface {
	ReadOnReady(bufSize int, pool mem.BufferPool) (b *[]byte, n int, err error)
} = (*Conn)(nil)

// readyReader is the state of ReadOnReady. It is part of the Conn and small, because an
// idle connection keeps it.
type readyReader struct {
	mu   sync.Mutex // held by the ReadOnReady under way
	try  func(sysfd uintptr) (done bool)
	pool mem.BufferPool
	size int

	buf *[]byte // nil unless bytes were read
	n   int     // bytes read; 0 at the end of the stream, or the negative errno
}

// ReadOnReady is Read for connections that are mostly idle. It waits until there is
// something to read, and only then takes a buffer of bufSize bytes from pool. The caller
// must put the buffer back into pool. On failure, there is no buffer. The errors are those
// of Read.
func (c *Conn) ReadOnReady(bufSize int, pool mem.BufferPool) (*[]byte, int, error) {
	if bufSize <= 0 {
		return c.readNow(bufSize, pool)
	}
	rc, err := c.SyscallConn()
	if err != nil {
		return nil, 0, err
	}
	buf, n, err := c.ready.read(rc, bufSize, pool)
	switch {
	case errors.Is(err, netring.ErrUnread):
		return c.readNow(bufSize, pool)
	case err != nil:
		return nil, 0, c.readError(err)
	}
	return buf, n, nil
}

// read waits and reads.
func (r *readyReader) read(rc syscall.RawConn, size int, pool mem.BufferPool) (buf *[]byte, n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.try == nil {
		r.try = r.tryRead
	}
	r.size, r.pool = size, pool
	err = rc.Read(r.try)
	buf, n = r.buf, r.n
	r.pool, r.buf = nil, nil
	switch {
	case err != nil:
		return nil, 0, err
	case n < 0:
		return nil, 0, syscall.Errno(-n)
	case n == 0:
		return nil, 0, io.EOF
	}
	return buf, n, nil
}

// tryRead reads what is in the socket. It reports false if there is nothing to read yet.
// The race detector sees the calls of package syscall, as it sees package net's.
func (r *readyReader) tryRead(sysfd uintptr) (done bool) {
	buf := r.pool.Get(r.size)
	n, err := syscall.Read(int(sysfd), *buf)
	for err == syscall.EINTR {
		n, err = syscall.Read(int(sysfd), *buf)
	}
	if n > 0 {
		r.buf, r.n = buf, n
		return true
	}
	r.pool.Put(buf)
	r.n = 0
	if errno, ok := err.(syscall.Errno); ok {
		r.n = -int(errno)
	}
	return err != syscall.EAGAIN
}

// readNow is ReadOnReady for a Read that does not wait.
func (c *Conn) readNow(bufSize int, pool mem.BufferPool) (*[]byte, int, error) {
	buf := pool.Get(bufSize)
	n, err := c.Read(*buf)
	if err != nil {
		pool.Put(buf)
		return nil, 0, err
	}
	return buf, n, nil
}

// readError returns err as Read does.
func (c *Conn) readError(err error) error {
	if err == io.EOF {
		return err
	}
	if oe, ok := err.(*net.OpError); ok { // of the raw connection, whose Op is "raw-read"
		err = oe.Err
	} else {
		err = os.NewSyscallError("read", err)
	}
	return &net.OpError{Op: "read", Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// setUserTimeout sets TCP_USER_TIMEOUT, see tcp(7). Like grpc-go, it leaves connections
// without the option as they are.
func (c *Conn) setUserTimeout(d time.Duration) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var optErr error
	err = rc.Control(func(sysfd uintptr) {
		optErr = unix.SetsockoptInt(int(sysfd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d/time.Millisecond))
	})
	if err != nil {
		return err
	}
	if optErr == unix.ENOPROTOOPT || optErr == unix.EOPNOTSUPP {
		return nil // a unix socket, or the peer has chosen Multipath TCP
	}
	return os.NewSyscallError("setsockopt", optErr)
}
