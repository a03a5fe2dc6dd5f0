package netring

import (
	"sync"
	"sync/atomic"
	"syscall"
)

// portableLease is a Lease on top of package net: a plain buffer from the heap.
type portableLease struct {
	data   []byte
	buffer *portableBuffer // nil: the zero Lease
}

// portableBuffer is a buffer on loan. Each loan has its own portableBuffer, which all
// copies of the Lease share.
type portableBuffer struct {
	mem      *[]byte
	pool     *sync.Pool // the pool of mem
	released atomic.Bool
}

// Bytes is Lease.Bytes.
func (l portableLease) Bytes() []byte { return l.data }

// Release is Lease.Release.
func (l *portableLease) Release() {
	if l.buffer == nil {
		return
	}
	if l.buffer.released.Swap(true) {
		panic("netring: a Lease was released twice")
	}
	l.data = nil
	l.buffer.pool.Put(l.buffer.mem)
}

// readLease sets l to a buffer with bytes from the connection. Its errors are those of
// Read.
func (c *portableConn) readLease(l *portableLease) error {
	if !c.ok() {
		return syscall.EINVAL
	}
	pool := &c.poller.leases
	mem := pool.Get().(*[]byte)
	n, err := c.Read(*mem)
	if err != nil {
		pool.Put(mem)
		return err
	}
	*l = portableLease{(*mem)[:n:n], &portableBuffer{mem: mem, pool: pool}}
	return nil
}
