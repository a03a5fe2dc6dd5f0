package reactor

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// closeLinger bounds how long a connection outlives its Close to send what was
// written, as a socket lingers in the kernel.
const closeLinger = 5 * time.Second

// keepBuffer is the size in bytes above which an empty buffer is given back.
const keepBuffer = 16 << 10

// coalescer makes one send of many writes. A Write copies into buf and returns;
// the op, queued with the reactor, takes whatever is in buf when its batch is
// submitted. It is guarded by the FD's mutex; the FD is held while it is busy.
type coalescer struct {
	limit int    // bytes that buf and out hold together; 0: off
	buf   []byte // written, and not on its way
	out   []byte // on its way; op.buf is what is left of it
	op    op
	state waiterState
	err   error // why a send failed; what was buffered is lost
	told  bool  // somebody has got err

	abandon bool // the FD is closing: do not wait for the socket
}

// SetWriteBuffering has writes of fewer than limit bytes copied and sent with
// the next batch, together with others; 0 ends that. It first sends what is
// buffered. Its errors are ErrClosed, os.ErrDeadlineExceeded and syscall.Errno.
func (fd *FD) SetWriteBuffering(limit int) error {
	fd.wr.call.Lock()
	defer fd.wr.call.Unlock()
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.closing {
		return ErrClosed
	}
	if err := fd.drain(); err != nil {
		return err
	}
	if fd.co == nil && limit > 0 {
		fd.co = new(coalescer)
		fd.co.op.init(fd, opSend, int(fd.sysfd))
		fd.co.op.late = true
	}
	if fd.co != nil {
		fd.co.limit = limit
	}
	return nil
}

// WriteBuffering returns the limit that SetWriteBuffering set.
func (fd *FD) WriteBuffering() int {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.co == nil {
		return 0
	}
	return fd.co.limit
}

// Flush waits until the kernel has taken everything written. Its errors are
// Write's.
func (fd *FD) Flush() error {
	fd.wr.call.Lock()
	defer fd.wr.call.Unlock()
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if err := fd.startable(&fd.wr, true); err != nil {
		return err
	}
	return fd.drain()
}

// coalescing reports whether a Write of n bytes is to be copied.
func (fd *FD) coalescing(n int) bool { return fd.co != nil && n < fd.co.limit }

// drain waits until nothing is buffered. The caller has the write side's call
// lock and fd.mu.
func (fd *FD) drain() error {
	co := fd.co
	if co == nil {
		return nil
	}
	for tried := false; ; tried = true {
		if fd.closing {
			return ErrClosed
		}
		if err := co.failure(); err != nil || co.state == idle {
			return err
		}
		if err := fd.startable(&fd.wr, true); err != nil {
			return err
		}
		if !tried && fd.retryFlush() {
			continue
		}
		if err := fd.pause(&fd.wr); err != nil {
			return err
		}
	}
}

// retryFlush has the coalescer try the socket, if it waits for room there: a call that
// timed out may have been the last to do so, and not every bit of room causes an
// event. It reports whether it did. fd.mu is held, but not meanwhile.
func (fd *FD) retryFlush() bool {
	co := fd.co
	if co.state != waiting {
		return false
	}
	co.state = queued
	fd.wr.ready = true // as far as is known
	signal := fd.r.attended()
	fd.mu.Unlock()
	fd.r.obey(signal)
	fd.r.submit(&co.op)
	fd.mu.Lock()
	return true
}

// drainFirst is drain for whoever has neither lock.
func (fd *FD) drainFirst() error {
	fd.mu.Lock()
	nothing := fd.co == nil || fd.co.told // what failed is lost, and known to be
	fd.mu.Unlock()
	if nothing {
		return nil
	}
	fd.wr.call.Lock()
	defer fd.wr.call.Unlock()
	fd.mu.Lock()
	defer fd.mu.Unlock()
	return fd.drain()
}

// failure returns why a send failed, if one has.
func (co *coalescer) failure() error {
	if co.err != nil {
		co.told = true
	}
	return co.err
}

// pause waits for anything to happen to s. fd.mu is held, but not meanwhile.
func (fd *FD) pause(s *side) error {
	if err := fd.waitReady(s); err != nil {
		return err
	}
	s.manual = true
	fd.mu.Unlock()
	fd.r.await(&s.waiter)
	fd.mu.Lock()
	s.manual, s.resume = false, false
	return nil
}

// writeBuffered copies p to the buffer, waiting while that is full. The caller
// has the write side's call lock and fd.mu.
func (fd *FD) writeBuffered(p []byte) (n int, err error) {
	co := fd.co
	for tried := false; ; tried = true {
		if err := co.failure(); err != nil {
			return n, err
		}
		k := min(len(p), co.limit-len(co.buf)-len(co.out))
		co.buf = append(co.buf, p[:k]...)
		p = p[k:]
		n += k
		if k > 0 && co.state == idle {
			co.state = queued
			fd.hold(1)
			fd.mu.Unlock()
			fd.r.submitLater(&co.op)
			fd.mu.Lock()
		}
		if len(p) == 0 {
			if bubbles.Load() && inBubble() {
				err = fd.drain() // nobody in the bubble would see to it later
			}
			return n, err
		}
		if !tried && fd.retryFlush() {
			continue
		}
		if err := fd.pause(&fd.wr); err != nil {
			return n, err
		}
		if err := fd.startable(&fd.wr, true); err != nil {
			return n, err
		}
	}
}

// prepare gives the coalescer's op what has been written, right before its batch
// is submitted.
func (fd *FD) prepare(o *op) {
	co := fd.co
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if len(o.buf) == 0 {
		co.out, co.buf = co.buf, co.out[:0]
		o.buf = co.out
	}
	o.epoch = fd.wr.epoch
	o.done = false
}

// flushed handles the answer to the coalescer's op and reports whether it has to
// be run again.
func (fd *FD) flushed(o *op) (again bool) {
	co := fd.co
	fd.mu.Lock()
	defer fd.mu.Unlock()
	switch errno := o.errno(); {
	case o.res >= 0:
		if o.buf = o.buf[o.res:]; len(o.buf) == 0 {
			co.out = co.out[:0]
		}
	case errno == unix.EAGAIN:
		fd.wr.exhausted(o.epoch)
	case errno == unix.EINTR:
	default:
		co.fail(errno)
	}
	switch {
	case len(o.buf) == 0 && len(co.buf) == 0:
		fd.rest()
	case fd.wr.ready:
		again = true
	case co.abandon:
		co.fail(ErrClosed)
		fd.rest()
	default:
		if err := fd.watch(fdEvents); err != nil {
			co.fail(err)
			fd.rest()
			break
		}
		co.state = waiting
		fd.r.unattended.Add(1) // its runner looks who watches
		fd.rouse()
	}
	if s := &fd.wr; s.state == waiting && s.manual {
		fd.nudgeSide(s) // there is room, or nothing left
	}
	return again
}

// fail gives up what is buffered.
func (co *coalescer) fail(err error) {
	co.err = err
	co.buf, co.out, co.op.buf = nil, nil, nil
}

// rest ends a busy spell of the coalescer. fd.mu is held.
func (fd *FD) rest() {
	co := fd.co
	co.state = idle
	if cap(co.buf) > keepBuffer {
		co.buf = nil
	}
	if cap(co.out) > keepBuffer {
		co.out = nil
	}
	co.op.buf = nil
	fd.unhold(1)
}

// flushOnEvent puts the coalescer's op in ops if it waited for room in the socket.
// fd.mu is held.
func (fd *FD) flushOnEvent(ops []*op) int {
	if fd.co == nil || fd.co.state != waiting {
		return 0
	}
	fd.co.state = queued
	fd.r.unattended.Add(-1)
	ops[0] = &fd.co.op
	return 1
}

// stuck reports whether there are bytes to be sent, and the socket takes no more of
// them for now. fd.mu is held.
func (fd *FD) stuck() bool { return fd.co != nil && fd.co.state == waiting }

// lingerTime is how long a Close may wait for the socket: until the write
// deadline, or for closeLinger. fd.mu is held.
func (fd *FD) lingerTime() time.Duration {
	if d := fd.wr.deadline; d != 0 {
		return min(max(d-monotonic(), 0), closeLinger)
	}
	return closeLinger
}

// abandon implements eventHandler: what is buffered is sent only if the socket
// takes it at once.
func (fd *FD) abandon() {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	fd.giveUp()
}

// giveUp is abandon with fd.mu held.
func (fd *FD) giveUp() {
	co := fd.co
	if co == nil || co.state == idle || !fd.closing {
		return
	}
	co.abandon = true
	if co.state == waiting {
		fd.r.unattended.Add(-1) // for a watcher, or for the reactor's Close, which kicks one
		co.fail(ErrClosed)
		fd.rest()
	}
}

// closeError is the error of a failed send that nobody was told of.
func (fd *FD) closeError() error {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if fd.co == nil || fd.co.told {
		return nil
	}
	err := fd.co.failure()
	if _, ok := err.(syscall.Errno); !ok {
		return nil // it was given up by Close itself
	}
	return err
}
