package netring

import (
	"errors"
	"net"
	"time"
)

// The methods here set socket options. Their errors have Op "set". On a unix
// connection, the options of TCP fail.

// setTCP runs f on the TCP connection. On a unix connection, it fails.
func (c *portableConn) setTCP(f func(tc *net.TCPConn) error) error {
	return c.call(callControl, "set", func() error {
		if c.tcp == nil {
			return c.opError("set", errors.ErrUnsupported)
		}
		return f(c.tcp)
	})
}

// SetNoDelay sets whether the kernel sends small packets at once. With false, it
// delays them to send fewer (Nagle's algorithm). The default is true.
func (c *portableConn) SetNoDelay(noDelay bool) error {
	return c.setTCP(func(tc *net.TCPConn) error { return tc.SetNoDelay(noDelay) })
}

// SetKeepAlive turns keep-alive probes on or off. They are on by default.
func (c *portableConn) SetKeepAlive(keepalive bool) error {
	return c.setTCP(func(tc *net.TCPConn) error { return tc.SetKeepAlive(keepalive) })
}

// SetKeepAlivePeriod sets the time without traffic before the first probe, see
// net.TCPConn.SetKeepAlivePeriod.
func (c *portableConn) SetKeepAlivePeriod(d time.Duration) error {
	return c.setTCP(func(tc *net.TCPConn) error { return tc.SetKeepAlivePeriod(d) })
}

// SetKeepAliveConfig sets everything about keep-alive probes, see
// net.KeepAliveConfig.
func (c *portableConn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	return c.setTCP(func(tc *net.TCPConn) error { return tc.SetKeepAliveConfig(config) })
}

// SetLinger sets what Close does with data that is not sent or not acknowledged.
// With sec < 0, the default, the kernel sends the data in the background. With 0, it
// discards the data and resets the connection. With sec > 0, what Close does depends
// on the system, see net.TCPConn.SetLinger.
func (c *portableConn) SetLinger(sec int) error {
	return c.setTCP(func(tc *net.TCPConn) error { return tc.SetLinger(sec) })
}

// SetReadBuffer sets the size in bytes of the kernel's receive buffer.
func (c *portableConn) SetReadBuffer(bytes int) error {
	return c.call(callControl, "set", func() error { return c.std.SetReadBuffer(bytes) })
}

// SetWriteBuffer sets the size in bytes of the kernel's send buffer.
func (c *portableConn) SetWriteBuffer(bytes int) error {
	return c.call(callControl, "set", func() error { return c.std.SetWriteBuffer(bytes) })
}

// MultipathTCP reports whether the connection uses Multipath TCP and has not
// fallen back to TCP, see net.TCPConn.MultipathTCP.
func (c *portableConn) MultipathTCP() (used bool, err error) {
	err = c.call(callControl, "set", func() (err error) {
		if c.tcp != nil {
			used, err = c.tcp.MultipathTCP()
		}
		return err
	})
	return used, err
}
