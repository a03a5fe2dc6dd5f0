//go:build !linux

package netring

// leaseBuffer is what a Lease holds: a plain buffer.
type leaseBuffer = portableLease

// ReadLease is Read that returns the bytes in a buffer of Config.BufferSize bytes. The
// caller must Release the Lease. Outside Linux, ReadLease holds the buffer while it
// waits, too. Its errors are those of Read.
func (c *Conn) ReadLease() (l Lease, err error) {
	err = c.readLease(&l.buffer)
	return l, err
}
