//go:build linux

package netring

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Errors have the three levels of package net's: *net.OpError, then, for what
// the kernel said, *os.SyscallError and syscall.Errno. io.EOF stays bare.

// wrapErrno names the system call behind an errno. Other errors, nil among
// them, are returned as they are.
func wrapErrno(call string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}

// opError wraps an error of an operation on c. nil and io.EOF stay what they
// are.
func (c *Conn) opError(op, call string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: c.net, Source: c.laddr, Addr: c.raddr, Err: wrapErrno(call, err)}
}

// setError wraps an error of changing a setting of c. Package net gives it the
// local address only.
func (c *Conn) setError(call string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "set", Net: c.net, Source: nil, Addr: c.laddr, Err: wrapErrno(call, err)}
}

// acceptError names the system call behind an error of Accept. Being out of
// memory is temporary like being out of descriptors; syscall.Errno only says so of
// the latter, and servers that back off ask Temporary.
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

// opError wraps an error of an operation on l.
func (l *Listener) opError(op, call string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: l.net, Source: nil, Addr: l.addr, Err: wrapErrno(call, err)}
}

// listenError wraps an error of making a listener, unless it is package net's,
// which has its shape already.
func listenError(network string, addr net.Addr, err error) error {
	var oe *net.OpError
	if errors.As(err, &oe) {
		return err
	}
	return &net.OpError{Op: "listen", Net: network, Source: nil, Addr: addr, Err: err}
}
