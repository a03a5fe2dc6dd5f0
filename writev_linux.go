package netring

import (
	"runtime"
	"syscall"
)

// Writev writes all pieces, in order, as one Write: no other write comes in between.
// One system call sends up to 1024 pieces. Writev replaces net.Buffers, whose WriteTo
// makes a Write for each piece on a Conn. It does not change bufs. Writev returns the
// number of bytes written and, unless it wrote all, an error like Write's.
func (c *Conn) Writev(bufs [][]byte) (int64, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.fd.Writev(bufs)
	if err != nil {
		err = c.opError("writev", "sendmsg", err)
	}
	runtime.KeepAlive(c)
	return int64(n), err
}
