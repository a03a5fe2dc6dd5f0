//go:build linux

package netring

import (
	"runtime"
	"syscall"

	"github.com/netring-go/netring/reactor"
)

// Writev writes all of the pieces, in order, as one Write: with one system call
// where they fit, and with no other write in between. It is what net.Buffers is
// for with package net's connections. bufs is not changed. It returns the number
// of bytes written and, if that is not all, why.
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

// Lease is a receive buffer on loan, see [Conn.ReadLease].
type Lease = reactor.Lease

// ReadLease is Read for servers with very many idle connections: it waits without
// holding a buffer, and returns what came in one of the buffers that the Poller's
// connections share. The caller owes the Lease a Release, soon: while all buffers
// are on loan, new ones come from the heap. Its errors are those of Read.
func (c *Conn) ReadLease() (l Lease, err error) {
	if !c.ok() {
		return l, syscall.EINVAL
	}
	err = c.readLease(&l)
	runtime.KeepAlive(c)
	return l, err
}

// readLease keeps the caller's frame, which waits on the stack, small.
func (c *Conn) readLease(l *Lease) error {
	err := c.fd.ReadLease(l)
	if err != nil {
		err = c.opError("read", "read", err)
	}
	return err
}
