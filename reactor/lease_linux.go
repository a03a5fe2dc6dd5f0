package reactor

import "github.com/netring-go/netring/bufring"

// Lease is a shared receive buffer with bytes from a connection. It belongs to
// its holder until Release. The zero Lease is empty.
type Lease struct {
	data []byte
	ring *bufring.Ring // nil: data is not in a shared buffer
	id   uint16
	gen  uint32
}

// Bytes returns the received bytes. They may be changed; they must not be used
// after Release.
func (l Lease) Bytes() []byte { return l.data }

// Release gives the buffer back. It must be called once: a second call panics,
// be it on a copy. A Lease may outlive its connection and its Poller.
func (l *Lease) Release() {
	if l.data == nil {
		if l.ring != nil {
			panic("netring: a Lease was released twice")
		}
		return
	}
	l.data = nil
	if l.ring != nil {
		l.ring.RecycleGeneration(l.id, l.gen)
	}
}

// ReadLease is Read into a shared buffer: it waits without holding memory, and
// returns a buffer with what came. If no shared buffer is left, the Lease has
// memory of its own. Its errors are Read's.
func (fd *FD) ReadLease() (Lease, error) {
	s := &fd.rd
	s.call.Lock()
	defer s.call.Unlock()
	fd.mu.Lock()
	if err := fd.startable(s, true); err != nil {
		fd.mu.Unlock()
		return Lease{}, err
	}
	if len(fd.chunk) == 0 {
		s.op.pooled, s.op.buf, s.lease = true, nil, true
		fd.start(s, false) // unlocks
		fd.mu.Lock()
		s.lease = false
		if s.err != nil {
			fd.mu.Unlock()
			return Lease{}, s.err
		}
	}
	defer fd.mu.Unlock()
	if len(fd.chunk) == 0 { // dropped by Close in the meantime
		return Lease{}, ErrClosed
	}
	l := Lease{data: fd.chunk}
	if fd.chunkBuf != noBuffer {
		l.ring, l.id = fd.r.bufs, uint16(fd.chunkBuf)
		l.gen = l.ring.Generation(l.id)
	}
	fd.chunk, fd.chunkBuf = nil, noBuffer
	return l, nil
}

// Unread returns the number of bytes that were received ahead of a small read.
func (fd *FD) Unread() int {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	return len(fd.chunk)
}
