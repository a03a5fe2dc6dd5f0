package netring

import (
	"runtime"
	"syscall"

	"github.com/netring-go/netring/reactor"
)

// leaseBuffer is the content of a Lease: a receive buffer of a reactor.
type leaseBuffer = reactor.Lease

// ReadLease is Read for servers with very many idle connections. It waits without a
// buffer, and returns the bytes in one of the buffers that the Poller's connections
// share. The caller must Release the Lease, and should release it soon: while all
// buffers are in use, new buffers come from the heap. Its errors are those of Read.
func (c *Conn) ReadLease() (l Lease, err error) {
	if !c.ok() {
		return l, syscall.EINVAL
	}
	err = c.readLease(&l)
	runtime.KeepAlive(c)
	return l, err
}

// readLease is a function of its own to keep the frame of ReadLease small: the frame
// stays on the stack of every goroutine that waits.
func (c *Conn) readLease(l *Lease) error {
	err := c.fd.ReadLease(&l.buffer)
	if err != nil {
		err = c.opError("read", "read", err)
	}
	return err
}
