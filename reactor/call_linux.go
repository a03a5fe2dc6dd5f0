package reactor

import (
	"os"

	"github.com/netring-go/netring/reactor/engine"
)

// A call, that is a Read or a Write, goes step by step: its goroutine looks, with fd.mu
// held, what to do next, does it without the lock, and looks again if it was woken for
// that. See callState for what others see of it.

// step is what a call's goroutine does next.
type step uint8

const (
	stepEnd    step = iota // the call is over
	stepSubmit             // have the op run in a batch
	stepDirect             // run the op
	stepWait               // sleep; the op is run when the socket is ready
	stepPoll               // sleep, and look again when the socket is ready
)

// startable says why a call may not start or go on. fd.mu is held.
func (fd *FD) startable(s *side, honourDeadline bool) error {
	switch {
	case fd.closing:
		return ErrClosed
	case honourDeadline && s.expired():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// checkStartable is startable for a caller without fd.mu.
func (fd *FD) checkStartable(s *side) error {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	return fd.startable(s, true)
}

// next says what the call on s, whose op is ready to be run, does next. direct has its
// goroutine run the op. If the answer is stepEnd, s.err says why. fd.mu is held.
func (fd *FD) next(s *side, direct bool) step {
	switch {
	case s.ready && direct:
		fd.enqueue(s, callDirect)
		return stepDirect
	case s.ready:
		fd.enqueue(s, callQueued)
		return stepSubmit
	}
	state, step := callWaiting, stepWait
	if direct {
		state, step = callPolling, stepPoll
	}
	if s.err = fd.sleep(s, state); s.err != nil {
		return stepEnd
	}
	return step
}

// enqueue marks s.op as on its way; the caller passes it on. fd.mu is held.
func (fd *FD) enqueue(s *side, state callState) {
	s.state.move(state)
	s.op.epoch = s.epoch
	s.op.Done = false
	fd.hold(1)
}

// sleep marks the call on s as waiting for the socket, or says why that is impossible.
// fd.mu is held.
func (fd *FD) sleep(s *side, state callState) error {
	if err := fd.register(fdEvents); err != nil {
		return err
	}
	s.wait(fd.r, state)
	return nil
}

// perform makes the call's steps, from the given one until the call is over.
func (fd *FD) perform(s *side, next step) {
	direct := next == stepDirect || next == stepPoll
	for next != stepEnd {
		switch next {
		case stepSubmit:
			fd.r.submit(&s.op)
		case stepDirect:
			if over := fd.r.runDirect(&s.op); over {
				return
			}
			// The op joins a batch when there is something to do, as others' do. Who was
			// told to look itself would be overtaken by those whose ops are run at once.
			direct = false
		}
		fd.r.await(&s.waiter)
		if s.state != callRecheck { // which is this goroutine's to change
			return
		}
		next = fd.look(s, direct)
	}
}

// look is next for a call that was woken to look again.
func (fd *FD) look(s *side, direct bool) step {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	s.rechecks()
	if s.err = fd.startable(s, true); s.err != nil {
		return stepEnd
	}
	return fd.next(s, direct)
}

// until waits until cond, which is called with fd.mu held, reports true or an error. It
// looks at cond whenever the socket becomes ready on side s, and when recheckSide is
// called. Its caller has the side's call lock. Its errors are cond's, ErrClosed and
// os.ErrDeadlineExceeded.
func (fd *FD) until(s *side, cond func() (bool, error)) error {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	for {
		if done, err := cond(); done || err != nil {
			return err
		}
		if err := fd.startable(s, true); err != nil {
			return err
		}
		if err := fd.sleep(s, callPolling); err != nil {
			return err
		}
		fd.mu.Unlock()
		fd.r.await(&s.waiter)
		fd.mu.Lock()
		s.rechecks()
	}
}

// complete implements opOwner.
func (fd *FD) complete(o *op) outcome {
	s := &fd.rd
	if o.Kind != engine.Recv {
		s = &fd.wr
	}
	out, asleep := fd.completed(s, o)
	if out != opOver || !asleep {
		return out
	}
	if p := s.pump; p == nil {
		fd.r.notify(&s.waiter)
	} else if !p.goOn(s) {
		p.src.r.notify(&p.src.rd.waiter)
	}
	return out
}

// completed handles the answer to o, the op of s. asleep says that the call's goroutine
// waits for its token.
func (fd *FD) completed(s *side, o *op) (out outcome, asleep bool) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	asleep = s.state == callQueued
	over := false
	if s == &fd.rd {
		over = fd.received(o)
	} else {
		over = fd.sent(o)
	}
	switch {
	case over:
	case fd.closing:
		s.err, over = ErrClosed, true
	case s.expired():
		s.err, over = os.ErrDeadlineExceeded, true
	case s.ready:
		o.epoch = s.epoch
		o.Done = false
		return opAgain, false
	case s.pump != nil && s == &fd.wr:
		over = true // the pump's goroutine waits for room
	default:
		s.err = fd.sleep(s, callWaiting)
		over = s.err != nil
	}
	if over {
		s.state.move(callIdle)
		out = opOver
	} else {
		out = opWaits
	}
	fd.unhold(1)
	return out, asleep
}

// prepare implements opOwner: the ops of calls need no preparation.
func (fd *FD) prepare(*op) {}
