//go:build linux

package netring

import (
	"fmt"
	"runtime"
	"syscall"
)

// Flush waits until the kernel has taken everything that was written. Only with
// write buffering is there anything to wait for, see [Config].WriteBuffer. Its
// errors are those of Write; the write deadline applies.
func (c *Conn) Flush() error {
	if !c.ok() {
		return syscall.EINVAL
	}
	err := c.fd.Flush()
	runtime.KeepAlive(c)
	if err != nil {
		err = c.opError("write", "write", err)
	}
	return err
}

// SetWriteBuffering changes the connection's write buffer to bytes, 512 to
// 16 MiB, or, with 0, goes back to writes that return when the kernel has taken
// all of their bytes. It first sends what is buffered. See [Config].WriteBuffer.
func (c *Conn) SetWriteBuffering(bytes int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	if bytes != 0 && !validWriteBuffer(bytes) {
		return c.setError("", fmt.Errorf("netring: SetWriteBuffering: the size is %d; use 0 for none, or %d to %d bytes", bytes, minWriteBuffer, maxWriteBuffer))
	}
	err := c.fd.SetWriteBuffering(bytes)
	runtime.KeepAlive(c)
	return c.setError("", err)
}

// writeBuffer is the write buffer of a connection whose listener or dialer asks, in the
// named field, for own, on p.
func (p *Poller) writeBuffer(field string, own int) (int, error) {
	switch {
	case own == 0:
		return p.cfg.WriteBuffer, nil
	case own < 0:
		return 0, nil
	case !validWriteBuffer(own):
		return 0, fmt.Errorf("netring: %s is %d; use 0 for the Poller's size, a negative value for none, or %d to %d bytes", field, own, minWriteBuffer, maxWriteBuffer)
	}
	return own, nil
}

func validWriteBuffer(bytes int) bool { return bytes >= minWriteBuffer && bytes <= maxWriteBuffer }
