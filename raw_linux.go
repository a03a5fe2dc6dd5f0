package netring

import (
	"net"
	"runtime"
	"syscall"
)

var (
	_ syscall.Conn = (*Conn)(nil)
	_ syscall.Conn = (*Listener)(nil)
)

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
