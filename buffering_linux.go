package netring

import (
	"runtime"
	"syscall"
)

// Flush waits until the kernel has taken everything that was written. Without a write
// buffer there is nothing to wait for, see [Config].WriteBuffer. The write deadline
// applies. Its errors are those of Write.
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

// SetWriteBuffering sets the size of the connection's write buffer: 512 bytes to
// 16 MiB, or 0 for none, see [Config].WriteBuffer. It first sends what is buffered;
// the write deadline applies. Its errors have Op "set".
func (c *Conn) SetWriteBuffering(bytes int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	if bytes != 0 && !validWriteBuffer(bytes) {
		return c.setError("", writeBufferingError(bytes))
	}
	err := c.fd.SetWriteBuffering(bytes)
	runtime.KeepAlive(c)
	return c.setError("", err)
}
