package netring

import (
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Package net's keep-alive defaults: the time before the first probe and between
// probes, and the number of probes.
const (
	defaultKeepAlive      = 15 * time.Second
	defaultKeepAliveCount = 9
)

// sockopt is one setsockopt(2) with an int value.
type sockopt struct{ level, name, value int }

// The methods here set socket options. Their errors have Op "set". On a unix
// connection, the kernel refuses the options of TCP.

// setTCP sets options of a TCP connection. Its error has both addresses, like package
// net's error for the options that only a TCPConn has.
func (c *Conn) setTCP(opts ...sockopt) error {
	err := c.set(opts...)
	if oe, ok := err.(*net.OpError); ok {
		oe.Source, oe.Addr = c.laddr, c.raddr
	}
	return err
}

// set sets socket options of the connection.
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

// SetNoDelay sets whether the kernel sends small packets at once. With false, it
// delays them to send fewer (Nagle's algorithm). The default is true.
func (c *Conn) SetNoDelay(noDelay bool) error {
	return c.setTCP(sockopt{unix.IPPROTO_TCP, unix.TCP_NODELAY, boolInt(noDelay)})
}

// SetKeepAlive turns keep-alive probes on or off. They are on by default.
func (c *Conn) SetKeepAlive(keepalive bool) error {
	return c.setTCP(sockopt{unix.SOL_SOCKET, unix.SO_KEEPALIVE, boolInt(keepalive)})
}

// SetKeepAlivePeriod sets the time without traffic before the first probe,
// rounded up to seconds. As in package net, 0 means 15 s and a negative value
// changes nothing.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.setTCP(keepAliveSeconds(unix.TCP_KEEPIDLE, d)...)
}

// SetKeepAliveConfig sets everything about keep-alive probes, see
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

// SetLinger sets what Close does with data that is not sent or not acknowledged.
// With sec < 0, the default, the kernel sends the data in the background. With 0, it
// discards the data and resets the connection. With sec > 0, Close waits for up to
// sec seconds.
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
		// The kernel refuses MPTCP_INFO (Linux 5.16) once the connection has fallen back,
		// and for sockets of other protocols.
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

// keepAliveOptions returns the options that package net's SetKeepAliveConfig sets. A
// negative field leaves its option unchanged. A zero field means the default.
func keepAliveOptions(c net.KeepAliveConfig) []sockopt {
	opts := []sockopt{{unix.SOL_SOCKET, unix.SO_KEEPALIVE, boolInt(c.Enable)}}
	opts = append(opts, keepAliveSeconds(unix.TCP_KEEPIDLE, c.Idle)...)
	opts = append(opts, keepAliveSeconds(unix.TCP_KEEPINTVL, c.Interval)...)
	if c.Count == 0 {
		c.Count = defaultKeepAliveCount
	}
	if c.Count > 0 {
		opts = append(opts, sockopt{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, c.Count})
	}
	return opts
}

// keepAliveSeconds returns the option name with the value d in seconds, rounded up. As
// in package net, 0 means the default, and a negative d leaves the option unchanged.
func keepAliveSeconds(name int, d time.Duration) []sockopt {
	if d == 0 {
		d = defaultKeepAlive
	}
	if d < 0 {
		return nil
	}
	return []sockopt{{unix.IPPROTO_TCP, name, int((d + time.Second - 1) / time.Second)}}
}
