package reactor

import (
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor/engine"
)

// Write writes all of p, or returns how much it wrote and why not more. Its
// errors are ErrClosed, os.ErrDeadlineExceeded and syscall.Errno.
func (fd *FD) Write(p []byte) (int, error) {
	s := &fd.wr
	s.call.Lock()
	defer s.call.Unlock()
	raceWrite(p)
	if co := fd.co; co != nil {
		if co.takes(len(p)) {
			return co.write(p)
		}
		if err := co.drain(); err != nil {
			return 0, err
		}
	}
	fd.mu.Lock()
	if err := fd.startable(s, true); err != nil {
		fd.mu.Unlock()
		return 0, err
	}
	fd.unsent = p
	s.op.Kind, s.op.Buf = engine.Send, p[:min(len(p), maxTransfer)]
	next := fd.nextWrite()
	fd.mu.Unlock()
	fd.perform(s, next)
	fd.unsent, s.op.Buf = nil, nil
	return s.n, s.err
}

// Writev writes all of the pieces, in order, as one Write: no other write comes
// in between. It returns the number of bytes written. bufs is not changed. Its
// errors are Write's.
func (fd *FD) Writev(bufs [][]byte) (n int, err error) {
	s := &fd.wr
	s.call.Lock()
	defer s.call.Unlock()
	total := 0
	for _, p := range bufs {
		raceWrite(p)
		total += len(p)
	}
	if co := fd.co; co != nil {
		if co.takes(total) {
			return co.writev(bufs)
		}
		if err := co.drain(); err != nil {
			return 0, err
		}
	}
	fd.mu.Lock()
	if err := fd.startable(s, true); err != nil {
		fd.mu.Unlock()
		return 0, err
	}
	if fd.vec == nil {
		fd.vec = new(engine.Iovecs)
	}
	if fd.vec.Load(bufs) {
		s.op.Kind, s.op.Buf = engine.Send, nil // nothing, as Write does it
	} else {
		s.op.Kind, s.op.Msg = engine.Sendmsg, fd.vec.Msg()
	}
	next := fd.nextWrite()
	fd.mu.Unlock()
	fd.perform(s, next)
	fd.vec.Clear()
	return s.n, s.err
}

// nextWrite is next for the write that wr.op describes. fd.mu is held.
func (fd *FD) nextWrite() step {
	s := &fd.wr
	s.n = 0
	// A write that timed out has left the socket full. There may be room by now, and
	// no event yet: those come when a third of the buffer is free.
	s.assumeReady(true)
	return fd.next(s, fd.direct || !fd.registered || fd.r.policy.direct())
}

// sent handles the answer to a Send or a Sendmsg and reports whether the call is over.
// fd.mu is held.
func (fd *FD) sent(o *op) (over bool) {
	s := &fd.wr
	switch errno := o.Errno(); {
	case o.Result >= 0:
		s.n += int(o.Result)
		s.err = nil
		if o.Kind == engine.Sendmsg {
			return fd.vec.Advance(int(o.Result))
		}
		fd.unsent = fd.unsent[o.Result:]
		o.Buf = fd.unsent[:min(len(fd.unsent), maxTransfer)]
		return len(fd.unsent) == 0
	case errno == unix.EAGAIN:
		s.exhausted(o.epoch)
		return false
	case errno == unix.EINTR:
		return false
	default:
		s.err = errno
	}
	return true
}
