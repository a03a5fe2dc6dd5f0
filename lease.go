package netring

// Lease is a receive buffer with bytes from a connection, see [Conn.ReadLease]. The
// caller of ReadLease owns the buffer until Release. The zero Lease is empty. A Lease
// is not safe for concurrent use.
type Lease struct{ buffer leaseBuffer }

// Bytes returns the received bytes. The caller may change the bytes, but must not use
// them after Release.
func (l Lease) Bytes() []byte { return l.buffer.Bytes() }

// Release gives the buffer back. The owner must call Release once; a second call
// panics, also on a copy of the Lease. A Lease may outlive its connection and its
// Poller.
func (l *Lease) Release() { l.buffer.Release() }
