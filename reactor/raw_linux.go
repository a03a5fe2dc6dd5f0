package reactor

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ErrUnread says that the connection holds bytes which were received ahead of a
// small read, so that its socket does not give the whole of the stream any more.
var ErrUnread = errors.New("bytes received ahead of an earlier read are unread: Read them first")

// Waiting is how an operation that is not one of the reactor's own waits: it
// calls f, without holding up anybody, until f reports true, and waits for
// readiness in between. f must not block. Its errors are ErrClosed and
// os.ErrDeadlineExceeded.
type Waiting func(f func(sysfd int) (done bool)) error

// RawRead calls f with the descriptor until it reports true, waiting in between
// for there to be something to read. Other reads wait meanwhile. Its errors are
// ErrClosed, os.ErrDeadlineExceeded and ErrUnread.
func (fd *FD) RawRead(f func(sysfd int) (done bool)) error {
	return fd.raw(&fd.rd, true, func(wait Waiting) error { return wait(f) })
}

// RawWrite is RawRead for writing.
func (fd *FD) RawWrite(f func(sysfd int) (done bool)) error {
	return fd.raw(&fd.wr, true, func(wait Waiting) error { return wait(f) })
}

// raw runs body as the one call on s. share is for bodies that are not this
// package's.
func (fd *FD) raw(s *side, share bool, body func(wait Waiting) error) error {
	s.call.Lock()
	defer s.call.Unlock()
	fd.mu.Lock()
	if s == &fd.wr {
		if err := fd.drain(); err != nil {
			fd.mu.Unlock()
			return err
		}
	}
	unread := s == &fd.rd && len(fd.chunk) > 0
	closing := fd.closing
	if share && !closing {
		fd.shared, fd.blockingClose = true, true
	}
	shared := fd.shared
	fd.mu.Unlock()
	switch {
	case closing:
		return ErrClosed
	case unread:
		return ErrUnread
	case shared && !share:
		// Whoever has a duplicate may have made the socket blocking.
		if err := fd.Control(func(sysfd int) error { return unix.SetNonblock(sysfd, true) }); err != nil {
			return err
		}
	}
	return body(func(f func(int) bool) error { return fd.waitFor(s, f) })
}

// waitFor is the Waiting of s, whose call the caller is.
func (fd *FD) waitFor(s *side, f func(sysfd int) (done bool)) error {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	for {
		if err := fd.startable(s, true); err != nil {
			return err
		}
		epoch, done := s.epoch, false
		fd.borrow(func(sysfd int) { done = f(sysfd) })
		if done {
			s.ready = true // as far as is known here
			return nil
		}
		if s.exhausted(epoch) || fd.closing || s.expired() {
			continue // the loop's beginning says what it is
		}
		if err := fd.pause(s); err != nil {
			return err
		}
	}
}

// ControlWhole is ControlShared for an f that hands the stream over to somebody who
// reads it, too: reads receive no more than they are asked for, from now on. It waits
// for no call. Its error is ErrUnread if more has been received already.
func (fd *FD) ControlWhole(f func(sysfd int) error) error {
	fd.mu.Lock()
	fd.exact = true
	s := &fd.rd
	for s.state == queued && s.op.pooled && !fd.closing {
		// Its answer is under way, and does not wait for the peer.
		fd.mu.Unlock()
		yield()
		fd.mu.Lock()
	}
	if s.state == waiting && s.op.pooled {
		s.op.pooled = false
		if s.lease {
			s.op.buf = make([]byte, fd.r.smallRead)
		}
	}
	unread := len(fd.chunk) > 0
	fd.mu.Unlock()
	if unread {
		return ErrUnread
	}
	return fd.ControlShared(f)
}
