package reactor

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// maxTransfer bounds one RECV or SEND, as package net bounds its calls.
const maxTransfer = 1 << 30

// FD is a connected stream socket on a Reactor. All methods may be called
// concurrently; reads wait for each other, and so do writes.
type FD struct {
	descriptor

	// drains says that a RECV which leaves nothing in the socket can be told
	// (TCP). Other sockets are read until EAGAIN.
	drains bool
	// sticky says that the socket has seen a half-close, an error or urgent data.
	// What follows those may come without another event, so from then on only
	// EAGAIN counts as "nothing left".
	sticky bool

	// direct says that writes go straight to the kernel, see SetDirectWrites.
	direct bool
	// exact says that no read may receive more than was asked for, see ControlWhole. A
	// unix socket's never do: what it does to its peer when it is closed depends on what
	// is left in it, and cannot be asked for.
	exact bool
	// unread says that bytes were left that had been received ahead when it was closed.
	unread bool

	// background says that reads of one byte are interrupted by deadlines, as those
	// are that net/http makes while a handler runs. It is guarded by rd.call.
	background bool

	// timed has the bits of the sides that have a deadline, and closingBit. It
	// changes under mu, and spares it whoever takes back a deadline that is not set,
	// as net/http does four times for each request.
	timed atomic.Uint32

	rd, wr side
	unsent []byte     // of a Write
	vec    *iovecs    // of a Writev
	co     *coalescer // nil: writes have never been coalesced

	// The rest of a chunk that an earlier small read brought along, and the shared
	// buffer it is in, if it is in one.
	chunk    []byte
	chunkBuf int32
}

// side is one direction of an FD.
type side struct {
	call sync.Mutex // held by the one Read or Write under way
	waiter
	op     op
	manual bool  // the call runs its own system calls: it only wants to know of readiness
	over   bool  // such a system call has ended it
	resume bool  // the token says that, and no more
	lease  bool  // the call wants a shared buffer, not a copy
	n      int   // what it has transferred
	err    error // its outcome
}

// NewFD puts the connected, non-blocking stream socket sysfd on the reactor. tcp
// says that it is a plain TCP socket (not MPTCP, not unix). On success the FD
// owns the descriptor; on failure the caller still does.
//
// The FD enters the epoll set when a call first has to wait. Until then, calls make
// their system calls themselves: a connection for a single request, which has
// arrived by the time it is accepted, needs no more than a recv, a send and a close.
func (r *Reactor) NewFD(sysfd int, tcp bool) (*FD, error) {
	inBubble() // notes it
	fd := &FD{drains: tcp, chunkBuf: noBuffer}
	fd.descriptor.init(r, sysfd)
	fd.rd.alarm.owner, fd.wr.alarm.owner = fd, fd
	fd.rd.op.init(fd, opRecv, sysfd)
	fd.rd.ready = true // as far as is known
	fd.wr.op.init(fd, opSend, sysfd)
	fd.wr.ready = true
	if !tcp { // or it is Multipath TCP
		domain, err := unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err != nil {
			return nil, os.NewSyscallError("getsockopt", err)
		}
		fd.exact = domain == unix.AF_UNIX
	}
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if err := r.enter(&fd.descriptor, fd); err != nil {
		return nil, err
	}
	return fd, nil
}

// waitReady marks s as waiting for the socket, or says why that is impossible.
// fd.mu is held.
func (fd *FD) waitReady(s *side) error {
	if err := fd.watch(fdEvents); err != nil {
		return err
	}
	s.startWaiting(fd.r)
	return nil
}

// fdEvents are the events an FD wants to hear of.
const fdEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLPRI | unix.EPOLLRDHUP

// Read reads up to len(p) bytes. Its errors are io.EOF, ErrClosed,
// os.ErrDeadlineExceeded and syscall.Errno.
func (fd *FD) Read(p []byte) (int, error) {
	s := &fd.rd
	s.call.Lock()
	defer s.call.Unlock()
	fd.mu.Lock()
	if fd.background && len(p) == 1 && fd.wr.state == queued {
		// It will be interrupted when the Write is over. Let that be first, and this call
		// does not have to park.
		fd.mu.Unlock()
		yield()
		fd.mu.Lock()
	}
	if err := fd.startable(s, len(p) > 0); err != nil || len(p) == 0 {
		fd.mu.Unlock()
		fd.background = fd.background || len(p) == 1 && err == os.ErrDeadlineExceeded
		return 0, err
	}
	if len(fd.chunk) > 0 {
		n := fd.readChunk(p)
		fd.mu.Unlock()
		return n, nil
	}
	s.op.pooled = len(p) < fd.r.smallRead && !fd.exact
	s.op.buf = p[:min(len(p), maxTransfer)]
	fd.startRead() // unlocks
	fd.background = fd.background || len(p) == 1 && s.err == os.ErrDeadlineExceeded
	return s.n, s.err
}

// startRead starts the read that rd.op describes. It is over on return. fd.mu is
// held, and released.
func (fd *FD) startRead() {
	s := &fd.rd
	direct := !fd.watched && !s.op.pooled
	if !fd.watched && s.op.pooled {
		// Only the engine gives out shared buffers. To be told that there is something
		// to read costs no more than to run it here, and less of this goroutine's stack,
		// whose doubling would be most of what an idle connection takes.
		s.ready = false
	}
	s.op.now = fd.watched && s.ready
	if s.op.now && !s.lease && fd.r.impatient.Load() {
		direct, s.op.pooled = true, false
	}
	s.op.gate = fd.background && fd.r.manyPs.Load()
	s.n = 0
	fd.start(s, direct) // unlocks
}

// Write writes all of p, or returns how much it wrote and why not more. Its
// errors are ErrClosed, os.ErrDeadlineExceeded and syscall.Errno.
func (fd *FD) Write(p []byte) (int, error) {
	s := &fd.wr
	s.call.Lock()
	defer s.call.Unlock()
	raceWrite(p)
	fd.mu.Lock()
	if err := fd.startable(s, true); err != nil {
		fd.mu.Unlock()
		return 0, err
	}
	if fd.coalescing(len(p)) {
		n, err := fd.writeBuffered(p)
		fd.mu.Unlock()
		return n, err
	}
	if err := fd.drain(); err != nil {
		fd.mu.Unlock()
		return 0, err
	}
	fd.unsent = p
	s.op.kind, s.op.buf = opSend, p[:min(len(p), maxTransfer)]
	fd.startWrite(len(p)) // unlocks
	return s.n, s.err
}

// startWrite starts the write of n bytes that wr.op describes. It is over on return.
// fd.mu is held, and released.
func (fd *FD) startWrite(n int) {
	s := &fd.wr
	s.n = 0
	// A write that timed out has left the socket full. There may be room by now, and
	// no event yet: those come when a third of the buffer is free.
	s.ready = true
	fd.start(s, fd.unbatched(n)) // unlocks
}

// unbatched reports whether a write of n bytes goes past the batches. fd.mu is
// held.
func (fd *FD) unbatched(n int) bool {
	r := fd.r
	return fd.direct || !fd.watched || r.largeWrite > 0 && (n >= r.largeWrite || r.impatient.Load())
}

// startable says why a call may not start. fd.mu is held.
func (fd *FD) startable(s *side, honourDeadline bool) error {
	switch {
	case fd.closing:
		return ErrClosed
	case honourDeadline && s.expired():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// start runs s.op: now if the socket is known to be ready, else once it is. It
// returns when the call is over. direct says that the calling goroutine runs it,
// outside any batch. fd.mu is held, and released.
func (fd *FD) start(s *side, direct bool) {
	s.manual = direct
	for {
		switch {
		case !s.ready:
			if s.err = fd.waitReady(s); s.err != nil {
				fd.mu.Unlock()
				fd.forget(s)
				return
			}
			fd.mu.Unlock()
		case s.manual:
			fd.enqueue(s)
			fd.mu.Unlock()
			fd.r.runDirect(&s.op)
		default:
			fd.enqueue(s)
			fd.mu.Unlock()
			fd.r.submit(&s.op)
		}
		if s.over {
			s.over = false
			break
		}
		fd.r.await(&s.waiter)
		if !s.resume {
			break
		}
		fd.mu.Lock()
		s.resume = false
		if s.err = fd.startable(s, true); s.err != nil {
			fd.mu.Unlock()
			break
		}
	}
	if s == &fd.rd {
		fd.r.race.read(s.n, s.op.buf)
	}
	fd.forget(s)
}

// forget lets go of what the call on s held. It is over, and nobody owes it a token.
func (fd *FD) forget(s *side) {
	s.op.buf = nil
	if s == &fd.wr {
		fd.unsent = nil
	}
}

// enqueue marks s.op as queued; the caller passes it on. fd.mu is held.
func (fd *FD) enqueue(s *side) {
	s.state = queued
	s.op.epoch = s.epoch
	s.op.done = false
	fd.hold(1)
}

// settle ends the call on s, if it has one, with what it has transferred. fd.mu
// is held; the caller sends the token.
func (s *side) settle(err error) {
	s.state = idle
	s.err = err
}

// event is called by the reactor with the socket's epoll events, and returns
// how many ops it has put in ops.
func (fd *FD) event(events uint32, ops *[maxEventOps]*op) (n int) {
	const (
		final   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLPRI
		toRead  = unix.EPOLLIN | final
		toWrite = unix.EPOLLOUT | unix.EPOLLHUP | unix.EPOLLERR
	)
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.closing {
		if events&toWrite != 0 {
			fd.wr.waiter.event()
			n = fd.flushOnEvent(ops[:])
		}
		return n
	}
	if events&final != 0 {
		fd.sticky = true
	}
	if events&toRead != 0 && fd.rd.waiter.event() {
		n += fd.proceed(&fd.rd, ops[n:])
	}
	if events&toWrite != 0 && fd.wr.waiter.event() {
		n += fd.proceed(&fd.wr, ops[n:])
	}
	if events&toWrite != 0 {
		n += fd.flushOnEvent(ops[n:])
	}
	return n
}

// proceed lets the call parked on s go on, now that the socket is ready: it
// stores its op, or wakes it if it has none. fd.mu is held.
func (fd *FD) proceed(s *side, ops []*op) int {
	if s.manual {
		fd.nudgeSide(s)
		return 0
	}
	fd.enqueue(s)
	ops[0] = &s.op
	return 1
}

// nudgeSide has the call parked on s look again at what it waits for. fd.mu is
// held.
func (fd *FD) nudgeSide(s *side) {
	s.state, s.resume = idle, true
	fd.r.notify(&s.waiter)
}

// nudge implements eventHandler.
func (fd *FD) nudge() {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	for _, s := range []*side{&fd.rd, &fd.wr} {
		if s.state == waiting {
			fd.nudgeSide(s)
		}
	}
}

// complete implements completer.
func (fd *FD) complete(o *op) (again bool) {
	if o.late {
		return fd.flushed(o)
	}
	s := &fd.rd
	fd.mu.Lock()
	var over bool
	if o.kind == opRecv {
		over = fd.received(o)
	} else {
		s = &fd.wr
		over = fd.sent(o)
	}
	again = !over && s.ready
	switch {
	case over:
	case fd.closing:
		s.settle(ErrClosed)
		over, again = true, false
	case s.expired():
		s.settle(os.ErrDeadlineExceeded)
		over, again = true, false
	case !again:
		if err := fd.waitReady(s); err != nil {
			s.settle(err)
			over = true
		} else {
			// Its op joins a batch when there is something to do, as others' do: who is
			// told to look itself would be overtaken by those whose ops are run at once.
			s.manual = false
		}
	}
	if again {
		o.epoch = s.epoch
		o.done = false
	} else {
		fd.unhold(1)
	}
	fd.mu.Unlock()
	switch {
	case !over:
	case s.manual:
		s.over = true // this is the call's own goroutine
	default:
		fd.r.notify(&s.waiter)
	}
	return again
}

// received handles the answer to a RECV and reports whether the call is over.
func (fd *FD) received(o *op) (over bool) {
	s := &fd.rd
	switch errno := o.errno(); {
	case o.res > 0:
		if o.drained && fd.drains && !fd.sticky {
			s.exhausted(o.epoch)
		}
		s.n = int(o.res)
		if o.bid != noBuffer {
			s.n = fd.keepChunk(o)
		} else if s.lease {
			fd.chunk = o.buf[:s.n]
		}
		s.settle(nil)
	case errno == 0:
		s.settle(io.EOF)
	case errno == unix.EAGAIN:
		s.exhausted(o.epoch)
		return false
	case errno == unix.EINTR:
		return false
	case errno == unix.ENOBUFS && o.pooled:
		o.pooled = false // no buffer left: receive into the caller's
		if s.lease {
			o.buf = make([]byte, fd.r.bufs.BufferSize())
		}
		return false
	default:
		s.settle(errno)
	}
	return true
}

// sent handles the answer to a SEND and reports whether the call is over.
func (fd *FD) sent(o *op) (over bool) {
	s := &fd.wr
	switch errno := o.errno(); {
	case o.res >= 0:
		s.n += int(o.res)
		if o.kind == opSendv {
			if !fd.vec.advance(int(o.res)) {
				return false
			}
		} else {
			fd.unsent = fd.unsent[o.res:]
			o.buf = fd.unsent[:min(len(fd.unsent), maxTransfer)]
			if len(fd.unsent) > 0 {
				return false
			}
		}
		s.settle(nil)
	case errno == unix.EAGAIN:
		s.exhausted(o.epoch)
		return false
	case errno == unix.EINTR:
		return false
	default:
		s.settle(errno)
	}
	return true
}

// keepChunk serves the parked read from the provided buffer of o and keeps the
// rest for the reads to come. fd.mu is held.
func (fd *FD) keepChunk(o *op) int {
	fd.chunkBuf = o.bid
	fd.chunk = fd.r.bufs.Bytes(uint16(o.bid), int(o.res))
	o.bid = noBuffer
	n := len(fd.chunk)
	if !fd.rd.lease {
		n = fd.readChunk(o.buf)
	}
	if fd.closing {
		fd.leaveChunk()
	}
	return n
}

// readChunk moves bytes from the chunk to p. fd.mu is held.
func (fd *FD) readChunk(p []byte) int {
	n := copy(p, fd.chunk)
	fd.chunk = fd.chunk[n:]
	if len(fd.chunk) == 0 {
		fd.dropChunk()
	}
	return n
}

// leaveChunk gives up the chunk of an FD that is closed.
func (fd *FD) leaveChunk() {
	fd.unread = fd.unread || len(fd.chunk) > 0
	fd.dropChunk()
}

func (fd *FD) dropChunk() {
	if fd.chunkBuf != noBuffer {
		fd.r.bufs.Recycle(uint16(fd.chunkBuf))
	}
	fd.chunk, fd.chunkBuf = nil, noBuffer
}

// SetDeadline sets the deadline of reads, writes or both to t; the zero time
// means none. Calls parked at the time are affected.
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
	if wakeRead || wakeWrite {
		fd.wakeWith(os.ErrDeadlineExceeded, wakeRead, wakeWrite) // unlocks
	} else {
		fd.mu.Unlock()
	}
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

// alarm implements eventHandler.
func (fd *FD) alarm(w *waiter) {
	fd.mu.Lock()
	wake := w.rung(fd.r)
	if fd.closing {
		fd.giveUp()
	}
	fd.wakeWith(os.ErrDeadlineExceeded, wake && w == &fd.rd.waiter, wake && w == &fd.wr.waiter) // unlocks
}

// wakeWith ends the parked calls named with err. fd.mu is held, and released.
func (fd *FD) wakeWith(err error, read, write bool) {
	if read {
		fd.rd.settle(err)
	}
	if write {
		fd.wr.settle(err)
	}
	fd.mu.Unlock()
	if read {
		fd.r.notify(&fd.rd.waiter)
	}
	if write {
		fd.r.notify(&fd.wr.waiter)
	}
}

// Close wakes parked calls with ErrClosed and closes the descriptor once the
// ops under way are done. It returns when the descriptor is free again, unless
// coalesced writes are left that the socket does not take at once: those are sent
// in the background, for a while. A second Close returns ErrClosed.
func (fd *FD) Close() error { return fd.CloseThen(nil) }

// CloseThen is Close. If done is not nil and it is not a second Close, done is
// called when the descriptor is free, before CloseThen returns or afterwards.
func (fd *FD) CloseThen(done func() error) error {
	fd.mu.Lock()
	if !fd.startClose() {
		fd.mu.Unlock()
		return ErrClosed
	}
	fd.timed.Store(closingBit)
	fd.leaveChunk()
	fd.wakeWith(ErrClosed, fd.rd.interrupt(fd.r), fd.wr.interrupt(fd.r)) // unlocks
	fd.mu.Lock()
	if fd.awaitQuiet(fd.stuck) {
		fd.mu.Unlock()
		return fd.finish(done)
	}
	// The watcher that waits for room in the socket sees to the alarm.
	fd.r.alarms.set(monotonic()+fd.lingerTime(), &fd.wr.waiter)
	fd.mu.Unlock()
	go func() {
		fd.mu.Lock()
		fd.awaitQuiet(nil)
		fd.r.alarms.drop(&fd.wr.waiter)
		fd.mu.Unlock()
		// Nobody is left to be told of an error.
		_ = fd.finish(done)
	}()
	return nil
}

// finish is the rest of a Close, once nobody holds the descriptor.
func (fd *FD) finish(done func() error) error {
	if fd.unread {
		// The kernel resets a connection that is closed with unread data. It does not know
		// of these, so it is asked to. Should it refuse, the peer sees an orderly end.
		_ = unix.SetsockoptLinger(int(fd.sysfd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	err := errjoin.Join(fd.closeError(), fd.finishClose())
	fd.r.slots.gone()
	if done != nil {
		err = errjoin.Join(err, done())
	}
	return err
}

// SetDirectWrites has a Write that finds room in the socket make its system call
// itself instead of joining a batch. It is for connections whose peer may answer
// before the Write that caused the answer has returned, and whose user does not
// expect that: a batch makes that gap longer. It must be called before the first
// Write.
func (fd *FD) SetDirectWrites() { fd.direct = true }

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
	if fd.closing {
		fd.mu.Unlock()
		return ErrClosed
	}
	// It does not block, and in a batch it would wait for the loop's next turn.
	errno := sysShutdown(fd.sysfd, how)
	fd.mu.Unlock()
	if errno != 0 {
		return errno
	}
	return nil
}
