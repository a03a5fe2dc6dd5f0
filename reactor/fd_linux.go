package reactor

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor/engine"
)

// maxTransfer bounds one Recv or Send, as package net bounds its calls.
const maxTransfer = 1 << 30

// FD is a connected stream socket on a Reactor. All methods may be called
// concurrently; reads wait for each other, and so do writes.
//
// This file has its life, its deadlines and its events. read_linux.go and
// write_linux.go have its calls, call_linux.go what those share, coalescer_linux.go the
// buffered writes, and raw_linux.go the calls of others.
type FD struct {
	descriptor

	// drains says that the engine can tell of a Recv that leaves nothing in the socket
	// (TCP). Other sockets are read until EAGAIN.
	drains bool
	// sticky says that the socket has seen a half-close, an error or urgent data.
	// What follows those may come without another event, so from then on only
	// EAGAIN counts as "nothing left".
	sticky bool

	// direct says that writes go straight to the kernel, see SetDirectWrites.
	direct bool

	// background says that reads of one byte are interrupted by deadlines, as those
	// are that net/http makes while a handler runs. It is guarded by rd.call.
	background bool

	// timed has the bits of the sides that have a deadline, and closingBit. It
	// changes under mu. A caller that takes back a deadline which is not set, as net/http
	// does four times for each request, need not take mu.
	timed atomic.Uint32

	rd, wr side
	ahead  readAhead
	unsent []byte         // of a Write
	vec    *engine.Iovecs // of a Writev
	co     *coalescer     // nil: writes have never been coalesced; changed under mu and wr.call
}

// side is one direction of an FD.
type side struct {
	call sync.Mutex // held by the one Read or Write under way
	waiter
	op   op
	n    int   // what the call has transferred
	err  error // its outcome
	pump *pump // nil unless the call is a pump's; changed under mu and call
}

// NewFD puts the connected, non-blocking stream socket sysfd on the reactor. tcp
// says that it is a plain TCP socket (not MPTCP, not unix). On success the FD
// owns the descriptor; on failure the caller still does.
//
// The FD enters the epoll set when a call first has to wait. Until then, calls make
// their system calls themselves: a connection for a single request, which has
// arrived by the time it is accepted, needs no more than a recv, a send and a close.
func (r *Reactor) NewFD(sysfd int, tcp bool) (*FD, error) {
	fd := new(FD)
	fd.init(r, sysfd, tcp)
	if !tcp { // or it is Multipath TCP
		domain, err := unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil {
			return nil, os.NewSyscallError("getsockopt", err)
		}
		// What a unix socket does to its peer when it is closed depends on what is left in
		// it, and cannot be asked for.
		fd.ahead.never = domain == unix.AF_UNIX
	}
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if err := fd.enter(fd); err != nil {
		return nil, err
	}
	r.n.opened.Add(1)
	return fd, nil
}

// init is the part of NewFD that cannot fail.
func (fd *FD) init(r *Reactor, sysfd int, tcp bool) {
	inBubble() // notes it
	fd.drains = tcp
	fd.ahead.buffer = engine.NoBuffer
	fd.descriptor.init(r, sysfd)
	fd.rd.alarm.owner, fd.wr.alarm.owner = fd, fd
	fd.rd.op.init(fd, engine.Recv, sysfd)
	fd.rd.assumeReady(true)
	fd.wr.op.init(fd, engine.Send, sysfd)
	fd.wr.assumeReady(true)
}

// SetDirectWrites has a Write that finds room in the socket make its system call
// itself instead of joining a batch. It is for connections whose peer may answer
// before the Write that caused the answer has returned, and whose user does not
// expect that: a batch makes that gap longer. It must be called before the first
// Write.
func (fd *FD) SetDirectWrites() { fd.direct = true }

// fdEvents are the events that an FD is registered for.
const fdEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLPRI | unix.EPOLLRDHUP

// event implements eventHandler.
func (fd *FD) event(events uint32, ops *[maxEventOps]*op) (n int) {
	const (
		final   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLPRI
		toRead  = unix.EPOLLIN | final
		toWrite = unix.EPOLLOUT | unix.EPOLLHUP | unix.EPOLLERR
	)
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if events&final != 0 {
		fd.sticky = true
	}
	if events&toRead != 0 && fd.rd.event() {
		n += fd.proceed(&fd.rd, ops[n:])
	}
	if events&toWrite != 0 {
		if fd.wr.event() {
			n += fd.proceed(&fd.wr, ops[n:])
		}
		n += fd.co.event(ops[n:])
	}
	return n
}

// proceed lets the call on s go on, which has waited for the socket: it stores its op,
// or wakes its goroutine. fd.mu is held.
func (fd *FD) proceed(s *side, ops []*op) int {
	if s.state == callPolling {
		fd.recheckSide(s)
		return 0
	}
	fd.enqueue(s, callQueued)
	ops[0] = &s.op
	return 1
}

// recheckSide has the call on s look again, if it sleeps. fd.mu is held.
func (fd *FD) recheckSide(s *side) {
	if s.waiter.recheck() {
		fd.r.notify(&s.waiter)
	}
}

// recheck implements eventHandler.
func (fd *FD) recheck() {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	fd.recheckSide(&fd.rd)
	fd.recheckSide(&fd.wr)
}

// SetDeadline sets the deadline of reads, writes or both to t; the zero time
// means none. Calls that wait at the time are affected. Its error is ErrClosed.
func (fd *FD) SetDeadline(t time.Time, read, write bool) error {
	if t.IsZero() {
		bits := uint32(closingBit)
		if read {
			bits |= readBit
		}
		if write {
			bits |= writeBit
		}
		if fd.timed.Load()&bits == 0 {
			return nil
		}
	}
	fd.mu.Lock()
	if fd.closing {
		fd.mu.Unlock()
		return ErrClosed
	}
	wakeRead := read && fd.rd.setDeadline(fd.r, t)
	wakeWrite := write && fd.wr.setDeadline(fd.r, t)
	fd.timed.Store(fd.deadlines())
	fd.mu.Unlock()
	fd.wake(os.ErrDeadlineExceeded, wakeRead, wakeWrite)
	return nil
}

// The bits of FD.timed.
const (
	readBit = 1 << iota
	writeBit
	closingBit
)

// deadlines returns the bits of the sides that have a deadline. fd.mu is held.
func (fd *FD) deadlines() (bits uint32) {
	if fd.rd.deadline != 0 {
		bits |= readBit
	}
	if fd.wr.deadline != 0 {
		bits |= writeBit
	}
	return bits
}

// alarmed implements eventHandler.
func (fd *FD) alarmed(w *waiter) {
	fd.mu.Lock()
	wake := w.alarmed(fd.r)
	fd.co.closeTimedOut()
	fd.mu.Unlock()
	fd.wake(os.ErrDeadlineExceeded, wake && w == &fd.rd.waiter, wake && w == &fd.wr.waiter)
}

// wake gives their tokens to the calls named, which have been taken back, with err. Until
// then those calls are the caller's.
func (fd *FD) wake(err error, read, write bool) {
	if read {
		fd.rd.err = err
		fd.r.notify(&fd.rd.waiter)
	}
	if write {
		fd.wr.err = err
		fd.r.notify(&fd.wr.waiter)
	}
}

// Close wakes calls that wait with ErrClosed and closes the descriptor once the
// ops under way are done. It returns when the descriptor is free again, unless
// coalesced writes are left that the socket does not take at once: those are sent
// in the background, for a while. A second Close returns ErrClosed.
func (fd *FD) Close() error { return fd.CloseThen(nil) }

// CloseThen is Close. If done is not nil and it is not a second Close, done is
// called when the descriptor is free, before CloseThen returns or afterwards.
func (fd *FD) CloseThen(done func() error) error {
	if !fd.beginClose() {
		return ErrClosed
	}
	if fd.awaitQuiet(fd.co.stuck) {
		return fd.finish(done)
	}
	fd.co.setCloseTimeout()
	go func() {
		fd.awaitQuiet(nil)
		fd.co.dropCloseTimeout()
		// Nobody is left to be told of an error.
		_ = fd.finish(done)
	}()
	return nil
}

// beginClose ends the calls that wait. It reports false if somebody else has.
func (fd *FD) beginClose() (first bool) {
	fd.mu.Lock()
	if first = fd.startClose(); !first {
		fd.mu.Unlock()
		return false
	}
	fd.timed.Store(closingBit)
	fd.ahead.leave(fd.r.submitter.bufs)
	wakeRead, wakeWrite := fd.rd.interrupt(fd.r), fd.wr.interrupt(fd.r)
	fd.mu.Unlock()
	fd.wake(ErrClosed, wakeRead, wakeWrite)
	return true
}

// finish is the rest of a Close, once nobody holds the descriptor.
func (fd *FD) finish(done func() error) error {
	if fd.ahead.lost {
		// The kernel resets a connection that is closed with unread data. It does not know
		// of these, so it is asked to. Should it refuse, the peer sees an orderly end.
		_ = unix.SetsockoptLinger(int(fd.sysfd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	err := errjoin.Join(fd.co.closeError(), fd.finishClose())
	fd.r.n.closed.Add(1)
	fd.r.poll.slots.gone()
	if done != nil {
		err = errjoin.Join(err, done())
	}
	return err
}

// abandon implements eventHandler: what is buffered is sent only if the socket
// takes it at once.
func (fd *FD) abandon() {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	fd.co.closeTimedOut()
}

// Shutdown shuts down the reading (unix.SHUT_RD) or writing (unix.SHUT_WR) half
// of the connection. Its errors are ErrClosed, os.ErrDeadlineExceeded and
// syscall.Errno.
//
// Coalesced writes are sent before the writing half is shut down. If the write
// deadline passes first, it is not shut down.
func (fd *FD) Shutdown(how int) error {
	if how != unix.SHUT_RD {
		if err := fd.drainFirst(); err != nil {
			return err
		}
	}
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.closing {
		return ErrClosed
	}
	// It does not block, and in a batch it would wait for the loop's next turn.
	if errno := engine.Shutdown(fd.sysfd, how); errno != 0 {
		return errno
	}
	return nil
}
