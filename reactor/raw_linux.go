package reactor

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ErrUnread says that the connection holds bytes which were received ahead of a
// small read, so that its socket does not give the whole of the stream any more.
var ErrUnread = errors.New("bytes received ahead of an earlier read are unread: Read them first")

// Waiting lets an operation wait that is not one of the reactor's own. It calls f, with no
// lock held, until f reports true, and waits for readiness in between. f must not block.
// Its errors are ErrClosed and os.ErrDeadlineExceeded.
type Waiting func(f func(sysfd int) (done bool)) error

// Do runs call, a non-blocking system call, until its answer is neither EINTR nor EAGAIN.
// Its errors are w's and call's.
func (w Waiting) Do(call func(sysfd int) error) error {
	var answer error
	err := w(func(sysfd int) bool {
		for {
			if answer = call(sysfd); answer != unix.EINTR {
				return answer != unix.EAGAIN
			}
		}
	})
	if err != nil {
		return err
	}
	return answer
}

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
	return fd.rawHeld(s, share, body)
}

// rawHeld is raw for a caller that has s's call lock.
func (fd *FD) rawHeld(s *side, share bool, body func(wait Waiting) error) error {
	if s == &fd.wr && fd.co != nil {
		if err := fd.co.drain(); err != nil {
			return err
		}
	}
	shared, err := fd.admitRaw(s, share)
	if err != nil {
		return err
	}
	if shared && !share {
		// Whoever has a duplicate may have made the socket blocking.
		if err := fd.Control(func(sysfd int) error { return unix.SetNonblock(sysfd, true) }); err != nil {
			return err
		}
	}
	return body(func(f func(int) bool) error { return fd.waitFor(s, f) })
}

// admitRaw says why a raw call may not start, and whether the descriptor has been
// duplicated.
func (fd *FD) admitRaw(s *side, share bool) (shared bool, err error) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	switch {
	case fd.closing:
		return false, ErrClosed
	case share:
		fd.share()
	}
	if s == &fd.rd && len(fd.ahead.data) > 0 {
		return false, ErrUnread
	}
	return fd.shared, nil
}

// waitFor is the Waiting of s, whose call the caller is.
func (fd *FD) waitFor(s *side, f func(sysfd int) (done bool)) error {
	for {
		epoch, err := fd.beginTry(s)
		if err != nil {
			return err
		}
		if fd.try(s, f) {
			return nil
		}
		if err := fd.until(s, func() (bool, error) { return s.exhausted(epoch), nil }); err != nil {
			return err
		}
	}
}

// beginTry holds the descriptor for a try. It returns the readiness epoch before it.
func (fd *FD) beginTry(s *side) (epoch uint32, err error) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if err := fd.startable(s, true); err != nil {
		return 0, err
	}
	fd.hold(1)
	return s.epoch, nil
}

// try calls f, which may panic or end its goroutine, and ends what beginTry began.
func (fd *FD) try(s *side, f func(sysfd int) (done bool)) (done bool) {
	defer func() {
		fd.mu.Lock()
		defer fd.mu.Unlock()
		fd.unhold(1)
		if done {
			s.assumeReady(true)
		}
	}()
	return f(int(fd.sysfd))
}

// ControlWhole is ControlShared for an f that hands the stream over to somebody who reads
// it, too. From now on, reads receive no more than they are asked for. ControlWhole waits
// for no call. Its error is ErrUnread if more has been received already.
func (fd *FD) ControlWhole(f func(sysfd int) error) error {
	fd.mu.Lock()
	fd.ahead.never = true
	s := &fd.rd
	for s.state == callQueued && s.op.Pooled && !fd.closing {
		// Its answer is under way, and does not wait for the peer.
		fd.mu.Unlock()
		yield()
		fd.mu.Lock()
	}
	if s.state == callWaiting && s.op.Pooled {
		s.op.Pooled = false
		if fd.ahead.lease {
			s.op.Buf = make([]byte, fd.r.smallRead)
		}
	}
	unread := len(fd.ahead.data) > 0
	fd.mu.Unlock()
	if unread {
		return ErrUnread
	}
	return fd.ControlShared(f)
}
