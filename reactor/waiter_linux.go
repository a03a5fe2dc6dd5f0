package reactor

import "time"

// waiterState says where the one pending call of a waiter is.
type waiterState uint8

const (
	idle    waiterState = iota // no call is pending
	waiting                    // parked until the socket is ready
	queued                     // an op is in a queue or in a batch
)

// waiter is one direction of a descriptor: its readiness, its deadline and the
// goroutine parked on it. It is guarded by the descriptor's mutex.
//
// Readiness is an epoch. epoll is edge-triggered, so an event may arrive while
// an op is queued; if that op then finds nothing (EAGAIN), "ready" is cleared
// only when no event came in the meantime, else the op is tried again.
type waiter struct {
	state waiterState
	ready bool
	epoch uint32 // number of events seen

	deadline time.Duration // on the clock of monotonic; 0: none
	alarm    alarm         // looks at the deadline while a call waits
	token    token         // for the parked goroutine
}

// event records a readiness event and reports whether a parked call can go on:
// then its state is queued, and its ops must be.
func (w *waiter) event() (resume bool) {
	w.epoch++
	w.ready = true
	if w.state != waiting {
		return false
	}
	w.state = queued
	return true
}

// exhausted records that an op queued in the given epoch found the socket not
// ready. It reports whether an event has come since, so that trying again is
// due.
func (w *waiter) exhausted(epoch uint32) (again bool) {
	if w.epoch != epoch {
		return true
	}
	w.ready = false
	return false
}

// expired reports whether the deadline has passed.
func (w *waiter) expired() bool {
	return w.deadline != 0 && (w.deadline == past || monotonic() >= w.deadline)
}

// startWaiting marks a call as waiting, and has it looked at when its deadline
// passes.
func (w *waiter) startWaiting(r *Reactor) {
	w.state = waiting
	if w.deadline != 0 {
		r.alarms.set(w.deadline, w)
	}
}

// setDeadline changes the deadline. wake says that it has passed already while
// a call was parked: then the state is idle, and the call must be woken.
func (w *waiter) setDeadline(r *Reactor, t time.Time) (wake bool) {
	switch {
	case t.IsZero():
		w.deadline = 0
		return false
	case t.Equal(longAgo):
		w.deadline = past
	default:
		w.deadline = toMonotonic(t)
	}
	return w.state == waiting && w.look(r)
}

// look is called when the deadline of a call that waits has changed or may have
// passed.
func (w *waiter) look(r *Reactor) (wake bool) {
	if w.state != waiting || w.deadline == 0 {
		return false // an op on its way back is not interrupted: its bytes count
	}
	if !w.expired() {
		r.alarms.set(w.deadline, w)
		return false
	}
	w.state = idle
	return true
}

// rung is called by the owner with an alarm that has gone off.
func (w *waiter) rung(r *Reactor) (wake bool) {
	r.alarms.rang(w)
	return w.look(r)
}

// interrupt takes a parked call back, for Close.
func (w *waiter) interrupt(r *Reactor) (wake bool) {
	r.alarms.drop(w)
	if w.state != waiting {
		return false
	}
	w.state = idle
	return true
}
