//go:build linux

package netring

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor"
)

var (
	_ syscall.Conn = (*Conn)(nil)
	_ syscall.Conn = (*Listener)(nil)
)

// ErrUnread is the error inside what SyscallConn's Read, File and Detach return
// while the connection holds bytes it received ahead of a read of less than 512
// bytes: the socket does not give the whole stream then. Read [Conn.Unread] bytes
// first; that many are returned without waiting.
var ErrUnread = reactor.ErrUnread

// Unread returns the number of bytes that Conn received ahead of a small read.
func (c *Conn) Unread() int {
	if !c.ok() {
		return 0
	}
	n := c.fd.Unread()
	runtime.KeepAlive(c)
	return n
}

// SyscallConn implements syscall.Conn. The raw connection's Read fails with
// [ErrUnread] if bytes have been received ahead; its functions must not block.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	return rawConn{c}, nil
}

// rawConn is the syscall.RawConn of a Conn.
type rawConn struct{ c *Conn }

func (r rawConn) Control(f func(fd uintptr)) error {
	err := r.c.fd.ControlShared(func(sysfd int) error {
		f(uintptr(sysfd))
		return nil
	})
	runtime.KeepAlive(r.c)
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "raw-control", Net: r.c.net, Source: nil, Addr: r.c.laddr, Err: err}
}

func (r rawConn) Read(f func(fd uintptr) (done bool)) error {
	err := r.c.fd.RawRead(func(sysfd int) bool { return f(uintptr(sysfd)) })
	runtime.KeepAlive(r.c)
	return r.c.opError("raw-read", "", err)
}

func (r rawConn) Write(f func(fd uintptr) (done bool)) error {
	err := r.c.fd.RawWrite(func(sysfd int) bool { return f(uintptr(sysfd)) })
	runtime.KeepAlive(r.c)
	return r.c.opError("raw-write", "", err)
}

// File returns a duplicate of the connection's descriptor; closing one does not
// affect the other. It fails with [ErrUnread] if bytes have been received ahead.
func (c *Conn) File() (*os.File, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	sysfd, err := c.duplicate()
	runtime.KeepAlive(c)
	if err != nil {
		return nil, &net.OpError{Op: "file", Net: c.net, Source: c.laddr, Addr: c.raddr, Err: err}
	}
	return os.NewFile(uintptr(sysfd), fmt.Sprintf("%s:%v->%v", c.net, c.laddr, c.raddr)), nil
}

// duplicate returns a close-on-exec duplicate of c's descriptor, which has all of
// the stream that has not been read.
func (c *Conn) duplicate() (sysfd int, err error) {
	sysfd = -1
	err = c.fd.ControlWhole(func(s int) (err error) {
		sysfd, err = unix.FcntlInt(uintptr(s), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	return sysfd, err
}

// Detach turns the connection into one of package net's, for code that needs a
// *net.TCPConn; c is closed. It waits for a Read or Write under way and fails with
// [ErrUnread], leaving c as it is, if bytes have been received ahead.
func (c *Conn) Detach() (*net.TCPConn, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	fail := func(err error) (*net.TCPConn, error) {
		return nil, &net.OpError{Op: "detach", Net: c.net, Source: c.laddr, Addr: c.raddr, Err: err}
	}
	if _, ok := c.laddr.(*net.TCPAddr); !ok {
		return fail(errors.New("it is not a TCP connection"))
	}
	var sysfd int
	// Holding both sides makes this wait for a Read and a Write.
	err := c.fd.Writing(func(reactor.Waiting) error {
		return c.fd.Reading(func(reactor.Waiting) (err error) {
			sysfd, err = c.duplicate()
			return err
		})
	})
	if err != nil {
		return fail(err)
	}
	f := os.NewFile(uintptr(sysfd), "")
	std, err := net.FileConn(f)
	if err = errjoin.Join(err, f.Close()); err != nil {
		return fail(err)
	}
	tc, ok := std.(*net.TCPConn)
	if !ok {
		return fail(errjoin.Join(fmt.Errorf("package net makes it a %T", std), std.Close()))
	}
	if err := c.Close(); err != nil {
		return fail(errjoin.Join(err, tc.Close()))
	}
	return tc, nil
}

// SyscallConn implements syscall.Conn. Like package net's for listeners, the raw
// connection only has Control.
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	return rawListener{l}, nil
}

// rawListener is the syscall.RawConn of a Listener.
type rawListener struct{ l *Listener }

func (r rawListener) Control(f func(fd uintptr)) error {
	err := r.l.fd.ControlShared(func(sysfd int) error {
		f(uintptr(sysfd))
		return nil
	})
	runtime.KeepAlive(r.l)
	return r.l.opError("raw-control", "", err)
}

func (rawListener) Read(func(fd uintptr) bool) error  { return syscall.EINVAL }
func (rawListener) Write(func(fd uintptr) bool) error { return syscall.EINVAL }

// File returns a duplicate of the listener's descriptor; closing one does not
// affect the other. It is what hands a listener to another process.
func (l *Listener) File() (*os.File, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	sysfd := -1
	err := l.fd.ControlShared(func(s int) (err error) {
		sysfd, err = unix.FcntlInt(uintptr(s), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	runtime.KeepAlive(l)
	if err != nil {
		return nil, l.opError("file", "", err)
	}
	return os.NewFile(uintptr(sysfd), fmt.Sprintf("%s:%v->", l.net, l.addr)), nil
}
