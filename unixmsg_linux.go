package netring

import (
	"io"
	"net"
	"os"
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
	var from unix.Sockaddr
	err = c.unixCall("read", "recvmsg", c.raddr0(), func() error {
		err := c.message((*reactor.FD).Reading, func(sysfd int) (err error) {
			n, oobn, flags, from, err = unix.Recvmsg(sysfd, b, oob, unix.MSG_CMSG_CLOEXEC)
			return err
		})
		n, oobn = max(n, 0), max(oobn, 0)
		if err == nil && n == 0 {
			return io.EOF
		}
		return err
	})
	return n, oobn, flags, c.unixAddr(from), err
}

// ReadFromUnix is (*net.UnixConn).ReadFromUnix: ReadMsgUnix without control messages.
// The kernel closes descriptors that the peer sends along.
func (c *Conn) ReadFromUnix(b []byte) (n int, addr *net.UnixAddr, err error) {
	var from unix.Sockaddr
	err = c.unixCall("read", "recvfrom", c.raddr0(), func() error {
		err := c.message((*reactor.FD).Reading, func(sysfd int) (err error) {
			n, from, err = unix.Recvfrom(sysfd, b, 0)
			return err
		})
		n = max(n, 0)
		if err == nil && n == 0 {
			return io.EOF
		}
		return err
	})
	return n, c.unixAddr(from), err
}

// WriteMsgUnix is (*net.UnixConn).WriteMsgUnix: it sends b and the control messages oob,
// such as unix.UnixRights makes, as one message. It may send less than len(b) bytes.
// Writes that are buffered leave first. addr must be nil; for a connected stream, the
// kernel refuses an address. On a TCP connection, the error is syscall.EINVAL.
func (c *Conn) WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error) {
	err = c.unixCall("write", "sendmsg", addrOrNil(addr), func() error {
		var to unix.Sockaddr
		if addr != nil {
			if addr.Net != c.laddr.Network() {
				return syscall.EAFNOSUPPORT
			}
			to = &unix.SockaddrUnix{Name: addr.Name}
		}
		err := c.message((*reactor.FD).Writing, func(sysfd int) (err error) {
			n, err = unix.SendmsgN(sysfd, b, oob, to, unix.MSG_NOSIGNAL)
			return err
		})
		n = max(n, 0)
		if err == nil {
			oobn = len(oob)
		}
		return err
	})
	return n, oobn, err
}

// WriteToUnix is (*net.UnixConn).WriteToUnix. It is of no use for a connection, which is
// why the error is net.ErrWriteToConnected; use Write. Like package net, WriteToUnix leaves
// the error to the kernel if the connection was accepted. Then the kernel ignores the
// address of a "unixpacket" message.
func (c *Conn) WriteToUnix(b []byte, addr *net.UnixAddr) (n int, err error) {
	err = c.unixCall("write", "sendto", addrOrNil(addr), func() error {
		switch {
		case c.dialled:
			return net.ErrWriteToConnected
		case addr == nil:
			return errMissingAddress
		case addr.Net != c.laddr.Network():
			return syscall.EAFNOSUPPORT
		}
		err := c.message((*reactor.FD).Writing, func(sysfd int) (err error) {
			n, err = unix.SendmsgN(sysfd, b, nil, &unix.SockaddrUnix{Name: addr.Name}, unix.MSG_NOSIGNAL)
			return err
		})
		n = max(n, 0)
		return err
	})
	return n, err
}

// unixCall runs body, a call on a unix connection. It names the system call behind an
// errno and wraps errors as package net does, io.EOF included.
func (c *Conn) unixCall(op, call string, addr net.Addr, body func() error) error {
	if !c.ok() || c.isTCP() {
		return syscall.EINVAL
	}
	err := body()
	runtime.KeepAlive(c)
	if err == nil {
		return nil
	}
	if errno, ok := err.(syscall.Errno); ok && errno != syscall.EAFNOSUPPORT {
		err = os.NewSyscallError(call, errno)
	}
	return &net.OpError{Op: op, Net: c.net, Source: c.laddr, Addr: addr, Err: err}
}

// message runs call, a non-blocking system call, as the one call on a side of c, until it
// has an answer.
func (c *Conn) message(side func(*reactor.FD, func(reactor.Waiting) error) error, call func(sysfd int) error) error {
	return side(c.fd, func(wait reactor.Waiting) (err error) {
		waitErr := wait(func(sysfd int) bool {
			for {
				if err = call(sysfd); err != unix.EINTR {
					return err != unix.EAGAIN
				}
			}
		})
		if waitErr != nil {
			return waitErr
		}
		return err
	})
}

// unixAddr returns the address of the peer of a message, nil if it has no name.
func (c *Conn) unixAddr(a unix.Sockaddr) *net.UnixAddr {
	if ua, ok := a.(*unix.SockaddrUnix); ok && ua.Name != "" {
		return &net.UnixAddr{Name: ua.Name, Net: c.net}
	}
	return nil
}

// raddr0 is c.raddr, nil for the zero Conn.
func (c *Conn) raddr0() net.Addr {
	if !c.ok() {
		return nil
	}
	return c.raddr
}

// addrOrNil returns a as an interface, which is nil if a is.
func addrOrNil(a *net.UnixAddr) net.Addr {
	if a == nil {
		return nil
	}
	return a
}
