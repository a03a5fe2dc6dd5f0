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

// Release gives the buffer back. It must be called once: a second call panics, on a copy
// of l, too. A Lease may outlive its connection and its Poller.
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

// ReadLease is Read into a shared buffer. It waits without holding memory, and sets l to
// a buffer with what came. If no shared buffer is left, l has memory of its own. Its errors
// are Read's.
//
// A call that waits takes little but its goroutine's stack. So the frames here are kept
// small: a stack that does not fit into 2 KiB takes 4 KiB.
func (fd *FD) ReadLease(l *Lease) error {
	s := &fd.rd
	s.call.Lock()
	err := fd.awaitAhead()
	if err == nil {
		err = fd.leaseAhead(l)
	}
	s.call.Unlock()
	return err
}

// awaitAhead waits until something is received ahead.
func (fd *FD) awaitAhead() error {
	s := &fd.rd
	fd.mu.Lock()
	if err := fd.startable(s, true); err != nil || len(fd.ahead.data) > 0 {
		fd.mu.Unlock()
		return err
	}
	s.op.Pooled, s.op.Buf, fd.ahead.lease = true, nil, true
	next := fd.nextRead()
	fd.mu.Unlock()
	fd.perform(s, next)
	fd.r.race.read(s.n, nil)
	s.op.Buf, fd.ahead.lease = nil, false
	return s.err
}

// leaseAhead makes l the holder of what was received ahead.
func (fd *FD) leaseAhead(l *Lease) error {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if !fd.ahead.moveTo(l, fd.r.submitter.bufs) { // dropped by Close in the meantime
		return ErrClosed
	}
	return nil
}
