//go:build !linux

package netring

// leaseBuffer is the content of a Lease: a plain buffer.
type leaseBuffer = portableLease

// ReadLease is Read, but returns the bytes in a buffer of Config.ReadBufferSize bytes. The
// caller must Release the Lease. Outside Linux, ReadLease also holds the buffer while
// it waits. Its errors are those of Read.
func (c *Conn) ReadLease() (l Lease, err error) {
	err = c.readLease(&l.buffer)
	return l, err
}
