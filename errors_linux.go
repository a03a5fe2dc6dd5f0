package netring

import (
	"io"
	"net"
	"os"
	"syscall"

	"github.com/netring-go/netring/reactor"
)

// Errors have the three levels of package net's errors: *net.OpError, and inside, for
// an error of the kernel, *os.SyscallError and syscall.Errno. io.EOF stays bare.

// wrapErrno names the system call behind an errno, and replaces package reactor's
// ErrUnread by the public ErrUnread. It returns other errors, and nil, unchanged.
func wrapErrno(call string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	if err == reactor.ErrUnread {
		return ErrUnread
	}
	return err
}

// placeError replaces a reactor's ErrClosed by errPollerClosed: a reactor is closed with
// its Poller, and the connection or listener that found no place was open.
func placeError(err error) error {
	if err == reactor.ErrClosed {
		return errPollerClosed
	}
	return err
}

// opError wraps an error of an operation on c. It returns nil and io.EOF unchanged.
func (c *Conn) opError(op, call string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: c.net, Source: c.laddr, Addr: c.raddr, Err: wrapErrno(call, err)}
}

// setError wraps an error of changing a setting of c. Like package net's, the error has
// the local address only.
func (c *Conn) setError(call string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "set", Net: c.net, Source: nil, Addr: c.laddr, Err: wrapErrno(call, err)}
}

// acceptError names the system call behind an error of Accept. A lack of memory is
// temporary, like a lack of descriptors, and servers that back off ask Temporary. But
// syscall.Errno's Temporary is true for a lack of descriptors only.
func acceptError(err error) error {
	if err == syscall.ENOBUFS || err == syscall.ENOMEM {
		return os.NewSyscallError("accept4", temporaryErrno{err.(syscall.Errno)})
	}
	return wrapErrno("accept4", err)
}

// temporaryErrno is an errno whose Temporary reports true.
type temporaryErrno struct{ syscall.Errno }

func (temporaryErrno) Temporary() bool { return true }

// Unwrap lets errors.Is and errors.As find the errno.
func (e temporaryErrno) Unwrap() error { return e.Errno }

// opError wraps an error of an operation on l. It returns nil unchanged.
func (l *Listener) opError(op, call string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: l.net, Source: nil, Addr: l.addr, Err: wrapErrno(call, err)}
}
