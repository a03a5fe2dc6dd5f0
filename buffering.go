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
	if err := checkWriteBuffer("SetWriteBuffering", bytes); err != nil {
		return c.setError("", err)
	}
	err := c.fd.SetWriteBuffering(bytes)
	runtime.KeepAlive(c)
	return c.setError("", err)
}

// writeBuffer is the write buffer of a connection whose listener or dialer asks
// for own, on p.
func (p *Poller) writeBuffer(what string, own int) (int, error) {
	switch {
	case own == 0:
		return p.buffer, nil
	case own < 0:
		return 0, nil
	}
	return own, checkWriteBuffer(what, own)
}

// checkWriteBuffer says what is wrong with a size.
func checkWriteBuffer(what string, bytes int) error {
	if bytes != 0 && (bytes < minWriteBuffer || bytes > maxWriteBuffer) {
		return fmt.Errorf("netring: %s: %d bytes: want 0 (none) or %d to %d", what, bytes, minWriteBuffer, maxWriteBuffer)
	}
	return nil
}
