package netring

import (
	"io"
	"net"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor"
)

// ReadMsgUnix is (*net.UnixConn).ReadMsgUnix: it receives up to len(b) bytes and, into
// oob, control messages such as the descriptors of SCM_RIGHTS, see unix(7). The
// descriptors are close-on-exec and belong to the caller. addr is nil unless the peer's
// socket has a name. At the end of the stream, the error inside the *net.OpError is
// io.EOF. On a TCP connection, the error is syscall.EINVAL.
func (c *Conn) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	n, addr, err = c.receive("recvmsg", func(sysfd int) (n int, from unix.Sockaddr, err error) {
		n, oobn, flags, from, err = unix.Recvmsg(sysfd, b, oob, unix.MSG_CMSG_CLOEXEC)
		return n, from, err
	})
	return n, max(oobn, 0), flags, addr, err
}

// ReadFromUnix is (*net.UnixConn).ReadFromUnix: ReadMsgUnix without control messages.
// The kernel closes descriptors that the peer sends along.
func (c *Conn) ReadFromUnix(b []byte) (n int, addr *net.UnixAddr, err error) {
	return c.receive("recvfrom", func(sysfd int) (int, unix.Sockaddr, error) {
		return unix.Recvfrom(sysfd, b, 0)
	})
}

// receive runs call, the named system call, as the one read of c. Only a unix connection
// has such calls.
func (c *Conn) receive(name string, call func(sysfd int) (int, unix.Sockaddr, error)) (n int, addr *net.UnixAddr, err error) {
	if !c.ok() || c.isTCP() {
		return 0, nil, syscall.EINVAL
	}
	var from unix.Sockaddr
	err = c.fd.Reading(func(wait reactor.Waiting) error {
		return wait.Do(func(sysfd int) (err error) {
			n, from, err = call(sysfd)
			return err
		})
	})
	n = max(n, 0)
	c.fd.CountRead(int64(n))
	if err == nil && n == 0 {
		err = io.EOF
	}
	if ua, ok := from.(*unix.SockaddrUnix); ok && ua.Name != "" {
		addr = &net.UnixAddr{Name: ua.Name, Net: c.net}
	}
	err = c.messageError("read", name, c.raddr, err)
	runtime.KeepAlive(c)
	return n, addr, err
}

// WriteMsgUnix is (*net.UnixConn).WriteMsgUnix: it sends b and the control messages oob,
// such as unix.UnixRights makes, as one message. It may send less than len(b) bytes.
// Writes that are buffered leave first. addr must be nil; for a connected stream, the
// kernel refuses an address. On a TCP connection, the error is syscall.EINVAL.
func (c *Conn) WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error) {
	n, err = c.send("sendmsg", b, oob, addr, nil)
	if err != nil {
		return n, 0, err
	}
	return n, len(oob), nil
}

// WriteToUnix is (*net.UnixConn).WriteToUnix. It is of no use for a connection, which is
// why the error is net.ErrWriteToConnected; use Write. Like package net, WriteToUnix leaves
// the error to the kernel if the connection was accepted. Then the kernel ignores the
// address of a "unixpacket" message.
func (c *Conn) WriteToUnix(b []byte, addr *net.UnixAddr) (int, error) {
	return c.send("sendto", b, nil, addr, func() error {
		switch {
		case c.dialled:
			return net.ErrWriteToConnected
		case addr == nil:
			return errMissingAddress
		}
		return nil
	})
}

// send sends b and oob as one message of c, for the named system call. refuse, if not
// nil, may refuse first. Only a unix connection has such calls.
func (c *Conn) send(name string, b, oob []byte, addr *net.UnixAddr, refuse func() error) (n int, err error) {
	if !c.ok() || c.isTCP() {
		return 0, syscall.EINVAL
	}
	defer runtime.KeepAlive(c)
	fail := func(err error) (int, error) { return n, c.messageError("write", name, addrOrNil(addr), err) }
	if refuse != nil {
		if err := refuse(); err != nil {
			return fail(err)
		}
	}
	var to unix.Sockaddr
	if addr != nil {
		if addr.Net != c.laddr.Network() {
			return fail(syscall.EAFNOSUPPORT)
		}
		to = &unix.SockaddrUnix{Name: addr.Name}
	}
	err = c.fd.Writing(func(wait reactor.Waiting) error {
		return wait.Do(func(sysfd int) (err error) {
			n, err = unix.SendmsgN(sysfd, b, oob, to, unix.MSG_NOSIGNAL)
			return err
		})
	})
	n = max(n, 0)
	c.fd.CountWritten(int64(n))
	return fail(err)
}

// messageError names the system call behind an errno and wraps err, io.EOF included, as
// package net does. A nil err stays nil.
func (c *Conn) messageError(op, call string, addr net.Addr, err error) error {
	if err == nil {
		return nil
	}
	if err != syscall.EAFNOSUPPORT {
		err = wrapErrno(call, err)
	}
	return &net.OpError{Op: op, Net: c.net, Source: c.laddr, Addr: addr, Err: err}
}
