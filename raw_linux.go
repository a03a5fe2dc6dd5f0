package netring

import (
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

// SyscallConn implements syscall.Conn. The raw connection's Read fails with
// [ErrUnread] if bytes have been received ahead. The functions passed to the raw
// connection must not block.
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

// File returns a duplicate of the connection's descriptor. The caller must close the
// File; that does not close the connection. File fails with [ErrUnread] if bytes have
// been received ahead. After a call of File, the connection receives nothing ahead.
func (c *Conn) File() (*os.File, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	sysfd, err := c.duplicate()
	runtime.KeepAlive(c)
	if err != nil {
		return nil, c.opError("file", "fcntl", err)
	}
	return os.NewFile(uintptr(sysfd), fmt.Sprintf("%s:%v->%v", c.net, c.laddr, c.raddr)), nil
}

// duplicate returns a close-on-exec duplicate of c's descriptor. It fails unless the
// socket holds the whole unread stream.
func (c *Conn) duplicate() (sysfd int, err error) {
	sysfd = -1
	err = c.fd.ControlWhole(func(s int) (err error) {
		sysfd, err = unix.FcntlInt(uintptr(s), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	return sysfd, err
}

// duplicate returns a close-on-exec duplicate of c's descriptor.
func duplicate(c syscall.Conn) (sysfd int, err error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	sysfd = -1
	ctlErr := rc.Control(func(s uintptr) {
		sysfd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0)
	})
	return sysfd, errjoin.Join(ctlErr, os.NewSyscallError("fcntl", err))
}

// Detach turns the connection into a *net.TCPConn, for code that needs one. The caller
// must close the returned connection, which has no deadlines. c is closed. Detach
// waits for a Read or Write under way. If bytes have been received ahead, Detach fails
// with [ErrUnread] and c stays open.
func (c *Conn) Detach() (*net.TCPConn, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	fail := func(err error) (*net.TCPConn, error) {
		return nil, c.opError("detach", "fcntl", err)
	}
	if _, ok := c.laddr.(*net.TCPAddr); !ok {
		return fail(errNotTCP)
	}
	var sysfd int
	// Holding both sides waits for a Read and a Write under way.
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
		return fail(errjoin.Join(fmt.Errorf("netring: net.FileConn returned a %T instead of a *net.TCPConn; use File", std), std.Close()))
	}
	if err := c.Close(); err != nil {
		return fail(errjoin.Join(err, tc.Close()))
	}
	return tc, nil
}

// SyscallConn implements syscall.Conn. The raw connection's Read and Write fail, like
// those of package net's listeners.
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

// File returns a duplicate of the listener's descriptor, for example for another
// process. The caller must close the File; that does not close the listener.
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
