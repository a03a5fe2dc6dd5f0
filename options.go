//go:build linux

package netring

import (
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// The methods here set socket options. Their errors have Op "set". Those of TCP
// fail on a unix connection, as the kernel does not know them there.

// setTCP applies socket options to the connection, with the error that package
// net gives for those that only a TCPConn has.
func (c *Conn) setTCP(opts ...sockopt) error {
	err := c.set(opts...)
	if oe, ok := err.(*net.OpError); ok {
		oe.Source, oe.Addr = c.laddr, c.raddr
	}
	return err
}

// set applies socket options to the connection.
func (c *Conn) set(opts ...sockopt) error {
	if !c.ok() {
		return unix.EINVAL
	}
	if len(opts) == 0 {
		return nil
	}
	err := c.fd.Control(func(sysfd int) error {
		for _, o := range opts {
			if err := unix.SetsockoptInt(sysfd, o.level, o.name, o.value); err != nil {
				return os.NewSyscallError("setsockopt", err)
			}
		}
		return nil
	})
	runtime.KeepAlive(c)
	return c.setError("", err)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// SetNoDelay controls whether the kernel waits in hope of sending fewer packets
// (Nagle's algorithm). The default is true: it does not.
func (c *Conn) SetNoDelay(noDelay bool) error {
	return c.setTCP(sockopt{unix.IPPROTO_TCP, unix.TCP_NODELAY, boolInt(noDelay)})
}

// SetKeepAlive turns keep-alive probes on or off. They are on by default.
func (c *Conn) SetKeepAlive(keepalive bool) error {
	return c.setTCP(sockopt{unix.SOL_SOCKET, unix.SO_KEEPALIVE, boolInt(keepalive)})
}

// SetKeepAlivePeriod sets the time without traffic before the first probe,
// rounded up to seconds. As in package net, 0 means 15 s and a negative value
// leaves it as it is.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.setTCP(keepAliveSeconds(unix.TCP_KEEPIDLE, d)...)
}

// SetKeepAliveConfig sets all that concerns keep-alive probes, see
// net.KeepAliveConfig.
func (c *Conn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	return c.setTCP(keepAliveOptions(config)...)
}

// SetReadBuffer sets the size in bytes of the kernel's receive buffer.
func (c *Conn) SetReadBuffer(bytes int) error {
	return c.set(sockopt{unix.SOL_SOCKET, unix.SO_RCVBUF, bytes})
}

// SetWriteBuffer sets the size in bytes of the kernel's send buffer.
func (c *Conn) SetWriteBuffer(bytes int) error {
	return c.set(sockopt{unix.SOL_SOCKET, unix.SO_SNDBUF, bytes})
}

// SetLinger sets what Close does with data that is not sent or not acknowledged:
// sec < 0, the default, has the kernel send it in the background; 0 discards it
// and resets the connection; sec > 0 makes Close wait for up to sec seconds.
func (c *Conn) SetLinger(sec int) error {
	if !c.ok() {
		return unix.EINVAL
	}
	err := c.fd.SetLinger(sec)
	runtime.KeepAlive(c)
	return c.opError("set", "setsockopt", err)
}

// MultipathTCP reports whether the connection uses Multipath TCP and has not
// fallen back to TCP, see net.TCPConn.MultipathTCP.
func (c *Conn) MultipathTCP() (bool, error) {
	if !c.ok() {
		return false, unix.EINVAL
	}
	used := false
	err := c.fd.Control(func(sysfd int) error {
		// MPTCP_INFO (Linux 5.16) is refused once the connection has fallen back, and
		// by sockets of other protocols.
		_, err := unix.GetsockoptInt(sysfd, solMPTCP, mptcpInfo)
		used = err == nil
		return nil
	})
	runtime.KeepAlive(c)
	return used, c.setError("", err)
}

// From linux/mptcp.h and linux/socket.h; golang.org/x/sys/unix lacks them.
const (
	solMPTCP  = 284 // SOL_MPTCP
	mptcpInfo = 1   // MPTCP_INFO
)
