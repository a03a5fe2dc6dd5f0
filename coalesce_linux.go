package netring

import (
	"runtime"
	"syscall"
)

// Flush waits until the kernel has taken everything that was written, or until the
// write deadline. Without a write buffer, see [Config].Coalesce, Flush does not
// wait. Its errors are those of Write.
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

// SetCoalescing sets the size of the connection's write buffer: 512 bytes to
// 16 MiB, or 0 for none, see [Config].Coalesce. SetCoalescing first sends what
// is buffered, or fails at the write deadline. Its errors have Op "set".
func (c *Conn) SetCoalescing(bytes int) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	if bytes != 0 && !validCoalesce(bytes) {
		return c.setError("", coalescingError(bytes))
	}
	if bytes > 0 && c.keepsBoundaries() {
		return c.setError("", errBoundaries)
	}
	err := c.fd.SetCoalescing(bytes)
	runtime.KeepAlive(c)
	return c.setError("", err)
}
