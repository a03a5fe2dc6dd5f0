package reactor

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor/engine"
)

// closeLinger bounds how long a connection outlives its Close to send what was
// written, as a socket does in the kernel.
const closeLinger = 5 * time.Second

// coalescer makes one send of many writes. A write copies into buf and returns. The op,
// queued with the reactor, takes whatever is in buf when its batch is submitted.
//
// The fields are guarded by the FD's mutex. The coalescer holds the FD while it is not
// idle. A nil coalescer has nothing to send.
type coalescer struct {
	fd    *FD
	op    op
	state callState // idle, queued or, for room in the socket, waiting

	limit int    // bytes that buf and out hold together; 0: off; changed under wr.call, too
	buf   []byte // written, and not on its way
	out   []byte // on its way; op.Buf is what is left of it
	err   error  // why a send failed; what was buffered is lost
	told  bool   // somebody has got err

	abandoned bool // the FD is closing: do not wait for the socket
}

// SetCoalescing has writes of fewer than limit bytes copied and sent with
// the next batch, together with others; 0 ends that. It first sends what is
// buffered. Its errors are ErrClosed, os.ErrDeadlineExceeded and syscall.Errno.
func (fd *FD) SetCoalescing(limit int) error {
	fd.wr.call.Lock()
	defer fd.wr.call.Unlock()
	if fd.co != nil {
		if err := fd.co.drain(); err != nil {
			return err
		}
	}
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.closing {
		return ErrClosed
	}
	if fd.co == nil && limit > 0 {
		co := &coalescer{fd: fd}
		co.op.init(co, engine.Send, int(fd.sysfd))
		co.op.prepares = true
		fd.co = co
	}
	if fd.co != nil {
		fd.co.limit = limit
	}
	return nil
}

// Coalescing returns the limit that SetCoalescing set.
func (fd *FD) Coalescing() int {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.co == nil {
		return 0
	}
	return fd.co.limit
}

// Buffered returns how many bytes the buffer of coalesced writes holds.
func (fd *FD) Buffered() int {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.co == nil {
		return 0
	}
	return len(fd.co.buf) + len(fd.co.out)
}

// Flush waits until the kernel has taken everything written. Its errors are
// Write's.
func (fd *FD) Flush() error {
	fd.wr.call.Lock()
	defer fd.wr.call.Unlock()
	if err := fd.checkStartable(&fd.wr); err != nil || fd.co == nil {
		return err
	}
	return fd.co.drain()
}

// drainFirst sends what is buffered, for a caller that has none of the FD's locks.
func (fd *FD) drainFirst() error {
	fd.mu.Lock()
	nothing := fd.co == nil || fd.co.told // what failed is lost, and known to be
	fd.mu.Unlock()
	if nothing {
		return nil
	}
	fd.wr.call.Lock()
	defer fd.wr.call.Unlock()
	return fd.co.drain()
}

// takes reports whether a write of n bytes is to be copied. The caller has the write
// side's call lock.
func (co *coalescer) takes(n int) bool { return n < co.limit }

// write copies p to the buffer, waiting while that is full. The caller has the write
// side's call lock.
func (co *coalescer) write(p []byte) (n int, err error) {
	fd := co.fd
	for tried := false; ; tried = true {
		k, queue, err := co.copy(p[n:])
		n += k
		if queue {
			fd.r.submitLater(&co.op)
		}
		switch {
		case err != nil:
			return n, err
		case n == len(p):
			if bubbles.Load() && inBubble() {
				return n, co.drain() // nobody in the bubble would see to it later
			}
			return n, nil
		case !tried:
			co.retry()
		default:
			if err := fd.until(&fd.wr, func() (bool, error) { return co.room() > 0, co.failure() }); err != nil {
				return n, err
			}
		}
	}
}

// writev is write for several pieces.
func (co *coalescer) writev(bufs [][]byte) (n int, err error) {
	for _, p := range bufs {
		k, err := co.write(p)
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// copy copies what there is room for. queue says that the op must be queued.
func (co *coalescer) copy(p []byte) (n int, queue bool, err error) {
	fd := co.fd
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if err := fd.startable(&fd.wr, true); err != nil {
		return 0, false, err
	}
	if err := co.failure(); err != nil {
		return 0, false, err
	}
	n = min(len(p), co.room())
	co.buf = append(co.buf, p[:n]...)
	if n > 0 && co.state == callIdle {
		co.state.move(callQueued)
		fd.hold(1)
		queue = true
	}
	return n, queue, nil
}

// room returns how many bytes the buffer takes. fd.mu is held.
func (co *coalescer) room() int { return co.limit - len(co.buf) - len(co.out) }

// drain waits until nothing is buffered. The caller has the write side's call lock. Its
// errors are Write's.
func (co *coalescer) drain() error {
	fd := co.fd
	sent := func() (bool, error) {
		if fd.closing {
			return false, ErrClosed
		}
		err := co.failure()
		return co.state == callIdle, err
	}
	co.retry()
	return fd.until(&fd.wr, sent)
}

// retry tries the socket, if the coalescer waits for room there: a call that
// timed out may have been the last to do so, and not every bit of room causes an
// event.
func (co *coalescer) retry() {
	fd := co.fd
	fd.mu.Lock()
	if co.state != callWaiting || fd.startable(&fd.wr, true) != nil {
		fd.mu.Unlock()
		return
	}
	co.state.move(callQueued)
	fd.wr.assumeReady(true)
	signal := fd.r.foundRoom()
	fd.mu.Unlock()
	fd.r.obey(signal)
	fd.r.submit(&co.op)
}

// failure returns why a send failed, if one has. fd.mu is held.
func (co *coalescer) failure() error {
	if co.err != nil {
		co.told = true
	}
	return co.err
}

// prepare implements opOwner: it gives the op what has been written, right before its
// batch is submitted.
func (co *coalescer) prepare(o *op) {
	co.fd.mu.Lock()
	defer co.fd.mu.Unlock()
	if len(o.Buf) == 0 {
		co.out, co.buf = co.buf, co.out[:0]
		o.Buf = co.out
	}
	o.epoch = co.fd.wr.epoch
	o.Done = false
}

// complete implements opOwner.
func (co *coalescer) complete(o *op) outcome {
	fd := co.fd
	fd.mu.Lock()
	defer fd.mu.Unlock()
	co.answered(o)
	out := co.proceed()
	if fd.wr.state == callPolling {
		fd.recheckSide(&fd.wr) // there is room, or nothing left
	}
	return out
}

// answered handles the answer to the op. fd.mu is held.
func (co *coalescer) answered(o *op) {
	switch errno := o.Errno(); {
	case o.Result >= 0:
		if o.Buf = o.Buf[o.Result:]; len(o.Buf) == 0 {
			co.out = co.out[:0]
		}
	case errno == unix.EAGAIN:
		co.fd.wr.exhausted(o.epoch)
	case errno == unix.EINTR:
	default:
		co.fail(errno)
	}
}

// proceed decides how it goes on after an answer. fd.mu is held.
func (co *coalescer) proceed() outcome {
	fd := co.fd
	switch {
	case len(co.op.Buf) == 0 && len(co.buf) == 0:
		co.end()
		return opOver
	case fd.wr.ready:
		return opAgain
	case co.abandoned:
		co.fail(ErrClosed)
		co.end()
		return opOver
	}
	if err := fd.register(fdEvents); err != nil {
		co.fail(err)
		co.end()
		return opOver
	}
	co.state.move(callWaiting)
	fd.r.lacksRoom()
	fd.wakeClose()
	return opWaits
}

// event is told that the socket has room. It stores the op in ops if that waits for
// room, and returns how many it has stored. fd.mu is held.
func (co *coalescer) event(ops []*op) int {
	if !co.stuck() {
		return 0
	}
	co.state.move(callQueued)
	co.fd.r.hasRoom()
	ops[0] = &co.op
	return 1
}

// fail gives up what is buffered. fd.mu is held.
func (co *coalescer) fail(err error) {
	co.err = err
	co.buf, co.out, co.op.Buf = nil, nil, nil
}

// end makes a busy coalescer idle. fd.mu is held.
func (co *coalescer) end() {
	co.state.move(callIdle)
	if cap(co.buf) > keepBuffer {
		co.buf = nil
	}
	if cap(co.out) > keepBuffer {
		co.out = nil
	}
	co.op.Buf = nil
	co.fd.unhold(1)
}

// stuck reports whether there are bytes to be sent, and the socket takes no more of
// them for now. fd.mu is held.
func (co *coalescer) stuck() bool { return co != nil && co.state == callWaiting }

// setCloseTimeout has closeTimedOut called when a Close has waited for the socket long
// enough: at the write deadline, or after closeLinger.
func (co *coalescer) setCloseTimeout() {
	fd := co.fd
	fd.mu.Lock()
	defer fd.mu.Unlock()
	linger := closeLinger
	if d := fd.wr.deadline; d != 0 {
		linger = min(max(d-monotonic(), 0), closeLinger)
	}
	// The watcher that waits for room in the socket sees to the alarm.
	fd.r.alarms.set(monotonic()+linger, &fd.wr.waiter)
}

func (co *coalescer) dropCloseTimeout() {
	co.fd.mu.Lock()
	defer co.fd.mu.Unlock()
	co.fd.r.alarms.drop(&co.fd.wr.waiter)
}

// closeTimedOut has a closing FD send what is buffered only if the socket takes it at
// once. fd.mu is held.
func (co *coalescer) closeTimedOut() {
	if co == nil || co.state == callIdle || !co.fd.closing {
		return
	}
	co.abandoned = true
	if co.state == callWaiting {
		co.fd.r.hasRoom() // for a watcher, or for the reactor's Close, which interrupts one
		co.fail(ErrClosed)
		co.end()
	}
}

// closeError is the error of a failed send that nobody was told of.
func (co *coalescer) closeError() error {
	if co == nil {
		return nil
	}
	co.fd.mu.Lock()
	defer co.fd.mu.Unlock()
	if co.told {
		return nil
	}
	err := co.failure()
	if _, ok := err.(syscall.Errno); !ok {
		return nil // it was given up by Close itself
	}
	return err
}
