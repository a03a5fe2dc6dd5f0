package reactor

import (
	"fmt"
	"time"
)

// callState is the life of the one call on a waiter.
//
//	from      to       because
//	idle      queued   the call's op goes into a batch
//	idle      direct   the call's goroutine runs the op itself
//	idle      waiting  the socket is not ready; the op is to be run when it is
//	idle      polling  the socket is not ready; the goroutine is to be woken when it is
//	waiting   queued   the socket is ready
//	waiting   recheck  the goroutine shall look who watches, see Reactor.standIn
//	waiting   idle     the deadline has passed, or Close
//	polling   recheck  the socket is ready, or what the call polls for may be there
//	polling   idle     the deadline has passed, or Close
//	queued    idle     the answer ends the call
//	queued    waiting  the socket was not ready after all
//	direct    idle     the answer ends the call
//	direct    waiting  the socket was not ready after all
//	recheck   idle     the goroutine looks again
//
// A goroutine sleeps in the states waiting, polling and queued, or is about to. Whoever
// takes its call from there to idle or recheck owes it a token.
type callState uint8

const (
	callIdle callState = iota
	callQueued
	callDirect
	callWaiting
	callPolling
	callRecheck
	callStates // how many there are
)

var callStateNames = [callStates]string{"idle", "queued", "direct", "waiting", "polling", "recheck"}

func (s callState) String() string { return callStateNames[s] }

// callMoves has, for each state, the set of states that may follow.
var callMoves = [callStates]uint8{
	callIdle:    1<<callQueued | 1<<callDirect | 1<<callWaiting | 1<<callPolling,
	callQueued:  1<<callIdle | 1<<callWaiting,
	callDirect:  1<<callIdle | 1<<callWaiting,
	callWaiting: 1<<callIdle | 1<<callQueued | 1<<callRecheck,
	callPolling: 1<<callIdle | 1<<callRecheck,
	callRecheck: 1 << callIdle,
}

// move changes the state. A change that the table does not have is a bug.
func (s *callState) move(to callState) {
	if callMoves[*s]&(1<<to) == 0 {
		panic(fmt.Sprintf("reactor: a call that is %v cannot become %v", *s, to))
	}
	*s = to
}

// asleep reports whether the call waits for the socket.
func (s callState) asleep() bool { return s == callWaiting || s == callPolling }

// waiter is one direction of a descriptor: its readiness, its deadline and the call
// that waits. It is guarded by the descriptor's mutex. Once its goroutine has taken its
// token, the state does not change before that goroutine changes it.
//
// Readiness is an epoch. epoll is edge-triggered, so an event may arrive while
// an op is queued; if that op then finds nothing (EAGAIN), ready is cleared
// only when no event came in the meantime, else the op is tried again.
type waiter struct {
	state callState
	ready bool
	epoch uint32 // number of events seen

	deadline time.Duration // on the clock of monotonic; 0: none
	alarm    alarm         // looks at the deadline while a call waits
	token    token         // for the goroutine that sleeps
}

// event records a readiness event and reports whether a call waited for it.
func (w *waiter) event() (waited bool) {
	w.epoch++
	w.ready = true
	return w.state.asleep()
}

// assumeReady sets whether the next op tries the socket before it waits. To assume wrongly
// costs an op that finds nothing, or, where an event is still to come, a wait for that.
func (w *waiter) assumeReady(ready bool) { w.ready = ready }

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

// wait makes the call sleep, in the state callWaiting or callPolling, until the socket
// is ready or its deadline passes.
func (w *waiter) wait(r *Reactor, state callState) {
	w.state.move(state)
	if w.deadline != 0 {
		r.alarms.set(w.deadline, w)
	}
}

// recheck has the call's goroutine look again at what it waits for, if it sleeps. It
// reports whether: then the caller owes the token.
func (w *waiter) recheck() bool {
	if !w.state.asleep() {
		return false
	}
	w.state.move(callRecheck)
	return true
}

// rechecks is called by the call's goroutine when it has taken its token. It reports
// whether the token said no more than that.
func (w *waiter) rechecks() bool {
	if w.state != callRecheck {
		return false
	}
	w.state.move(callIdle)
	return true
}

// setDeadline changes the deadline. wake says that a call sleeps and the deadline has
// passed: then the state is idle, and the caller owes the token.
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
	return w.checkDeadline(r)
}

// checkDeadline is called when the deadline of a call that sleeps has changed or may
// have passed. wake is setDeadline's.
func (w *waiter) checkDeadline(r *Reactor) (wake bool) {
	if !w.state.asleep() || w.deadline == 0 {
		return false // an op on its way back is not interrupted: its bytes count
	}
	if !w.expired() {
		r.alarms.set(w.deadline, w)
		return false
	}
	w.state.move(callIdle)
	return true
}

// alarmed is called by the owner with an alarm that has gone off. wake is setDeadline's.
func (w *waiter) alarmed(r *Reactor) (wake bool) {
	r.alarms.heard(w)
	return w.checkDeadline(r)
}

// interrupt ends the call of a descriptor that is being closed, if it sleeps. wake is
// setDeadline's.
func (w *waiter) interrupt(r *Reactor) (wake bool) {
	r.alarms.drop(w)
	if !w.state.asleep() {
		return false
	}
	w.state.move(callIdle)
	return true
}
