package netring

import (
	"net"
	"syscall"
)

// ReadMsgUnix is (*net.UnixConn).ReadMsgUnix: it receives up to len(b) bytes and, into
// oob, control messages. On a TCP connection, the error is syscall.EINVAL.
func (c *portableConn) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	err = c.unixCall(callRead, "read", func(std *net.UnixConn) (err error) {
		n, oobn, flags, addr, err = std.ReadMsgUnix(b, oob)
		return err
	})
	return n, oobn, flags, addr, err
}

// ReadFromUnix is (*net.UnixConn).ReadFromUnix: ReadMsgUnix without control messages.
func (c *portableConn) ReadFromUnix(b []byte) (n int, addr *net.UnixAddr, err error) {
	err = c.unixCall(callRead, "read", func(std *net.UnixConn) (err error) {
		n, addr, err = std.ReadFromUnix(b)
		return err
	})
	return n, addr, err
}

// WriteMsgUnix is (*net.UnixConn).WriteMsgUnix: it sends b and the control messages oob.
// On a TCP connection, the error is syscall.EINVAL.
func (c *portableConn) WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error) {
	err = c.unixCall(callWrite, "write", func(std *net.UnixConn) (err error) {
		n, oobn, err = std.WriteMsgUnix(b, oob, addr)
		return err
	})
	return n, oobn, err
}

// WriteToUnix is (*net.UnixConn).WriteToUnix. It is of no use for a connection, which is
// why the error is net.ErrWriteToConnected; use Write.
func (c *portableConn) WriteToUnix(b []byte, addr *net.UnixAddr) (n int, err error) {
	err = c.unixCall(callWrite, "write", func(std *net.UnixConn) (err error) {
		n, err = std.WriteToUnix(b, addr)
		return err
	})
	return n, err
}

// unixCall runs f on package net's unix connection.
func (c *portableConn) unixCall(kind callKind, op string, f func(std *net.UnixConn) error) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	std, ok := c.std.(*net.UnixConn)
	if !ok {
		return syscall.EINVAL
	}
	return c.call(kind, op, func() error { return f(std) })
}
