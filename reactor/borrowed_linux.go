package reactor

import "time"

// Borrowed is a stream socket on a Reactor whose descriptor belongs to somebody else, the
// owner. The owner may make system calls of its own on the socket, and waits for readiness
// with Prepare and Wait. Reads never receive more than they are asked for, so the socket
// always has the whole of the unread stream. The socket need not be connected yet.
//
// All methods but Release may be called concurrently, with one exception: on each side,
// the owner has one Prepare and the Waits that follow under way at a time.
//
// The owner ends it with Close and Release, and closes the descriptor afterwards.
type Borrowed struct {
	fd   FD
	seen [2]uint32 // readiness epochs, see Prepare; guarded by each side's call lock
}

// Borrow puts the non-blocking stream socket sysfd on the reactor. tcp is NewFD's. Its
// error is ErrClosed. On success, the caller must Release the result.
func (r *Reactor) Borrow(sysfd int, tcp bool) (*Borrowed, error) {
	b := new(Borrowed)
	b.fd.init(r, sysfd, tcp)
	b.fd.ahead.never = true
	b.fd.mu.Lock()
	defer b.fd.mu.Unlock()
	if err := b.fd.enter(b); err != nil {
		return nil, err
	}
	return b, nil
}

// Read is FD.Read.
func (b *Borrowed) Read(p []byte) (int, error) { return b.fd.Read(p) }

// Write is FD.Write.
func (b *Borrowed) Write(p []byte) (int, error) { return b.fd.Write(p) }

// Writev is FD.Writev.
func (b *Borrowed) Writev(bufs [][]byte) (int, error) { return b.fd.Writev(bufs) }

// SetDeadline is FD.SetDeadline. The deadlines also end Prepare and Wait.
func (b *Borrowed) SetDeadline(t time.Time, read, write bool) error {
	return b.fd.SetDeadline(t, read, write)
}

// SetDirectWrites is FD.SetDirectWrites.
func (b *Borrowed) SetDirectWrites() { b.fd.SetDirectWrites() }

// side returns the writing or the reading side, and what its owner has seen.
func (b *Borrowed) side(write bool) (*side, *uint32) {
	if write {
		return &b.fd.wr, &b.seen[1]
	}
	return &b.fd.rd, &b.seen[0]
}

// Prepare is called before system calls of the owner that read, or write. Whatever makes
// the socket ready after Prepare ends the next Wait. Its errors are ErrClosed and
// os.ErrDeadlineExceeded.
func (b *Borrowed) Prepare(write bool) error {
	s, seen := b.side(write)
	s.call.Lock()
	defer s.call.Unlock()
	b.fd.mu.Lock()
	defer b.fd.mu.Unlock()
	*seen = s.epoch
	return b.fd.startable(s, true)
}

// Wait waits until the socket is ready, after a system call of the owner that has found it
// not to be. It may return early. Its errors are ErrClosed, os.ErrDeadlineExceeded and
// that of epoll_ctl.
func (b *Borrowed) Wait(write bool) error {
	s, seen := b.side(write)
	s.call.Lock()
	defer s.call.Unlock()
	return b.fd.until(s, func() (bool, error) {
		if !s.exhausted(*seen) {
			return false, nil
		}
		*seen = s.epoch
		return true, nil
	})
}

// Close ends the calls that wait, with ErrClosed, and all later calls. It does not wait
// and does not touch the descriptor. A second Close returns ErrClosed.
func (b *Borrowed) Close() error {
	if !b.fd.beginClose() {
		return ErrClosed
	}
	return nil
}

// Release ends the reactor's use of the descriptor, which the owner may close afterwards.
// Close comes first if it has not come yet. Release is called once. Its error is that of
// epoll_ctl.
func (b *Borrowed) Release() error {
	b.fd.beginClose()
	b.fd.awaitQuiet(nil)
	var err error
	if b.fd.registered {
		// Not left to close(2), which ends the registration only if nobody has a duplicate
		// of the socket.
		err = b.fd.r.poll.unregister(b.fd.sysfd)
	}
	b.fd.r.poll.slots.leave(b.fd.id)
	b.fd.r.poll.slots.gone()
	return err
}

// event implements eventHandler.
func (b *Borrowed) event(events uint32, ops *[maxEventOps]*op) int { return b.fd.event(events, ops) }

// recheck implements eventHandler.
func (b *Borrowed) recheck() { b.fd.recheck() }

// alarmed implements eventHandler.
func (b *Borrowed) alarmed(w *waiter) { b.fd.alarmed(w) }

// closeMayWait implements eventHandler.
func (b *Borrowed) closeMayWait() bool { return false }

// abandon implements eventHandler: there are no buffered writes.
func (b *Borrowed) abandon() {}
