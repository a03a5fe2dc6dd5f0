package netring

import (
	"runtime"
	"syscall"
)

// Writev writes all pieces, in order, as one Write: no other write comes in between,
// and up to 1024 pieces leave with one system call. It replaces net.Buffers, whose
// WriteTo makes a Write for each piece on a Conn. Writev does not change bufs. It
// returns the number of bytes written and, if that is not all, an error like Write's.
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
