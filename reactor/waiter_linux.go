package reactor

import (
	"math"
	"sync"
	"time"
)

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
	state   waiterState
	ready   bool
	expired bool   // the deadline has passed
	epoch   uint32 // number of events seen

	deadline time.Duration // on the clock of monotonic; 0: none
	timer    *time.Timer
	wake     chan struct{} // holds the one token owed to the parked goroutine
}

// expectToken is called before anybody may owe a token. Until then there is no
// channel: a connection for one request mostly needs none.
func (w *waiter) expectToken() {
	if w.wake == nil {
		w.wake = tokens.Get().(chan struct{})
	}
}

// returnToken gives back the channel, which nobody owes a token.
func (w *waiter) returnToken() {
	if w.wake != nil {
		tokens.Put(w.wake)
		w.wake = nil
	}
}

// tokens holds channels with room for a token, and none in it.
var tokens = sync.Pool{New: func() any { return make(chan struct{}, 1) }}

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

// setDeadline changes the deadline. wake says that it has passed already while
// a call was parked: then the state is idle, and the call must be woken. arm > 0
// asks the caller to have fired called after that time, with arm.
func (w *waiter) setDeadline(t time.Time) (wake bool, arm time.Duration) {
	if w.deadline == 0 && t.IsZero() {
		return false, 0
	}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.deadline, w.expired = 0, false
	switch {
	case t.IsZero():
		return false, 0
	case t.Equal(longAgo):
	default:
		if d := time.Until(t); d > 0 {
			now := monotonic()
			w.deadline = now + min(d, math.MaxInt64-now)
			return false, d
		}
	}
	w.deadline = 1 // the past
	return w.expire(), 0
}

// longAgo is what net/http, for each request, and others set to interrupt a call.
// To know it saves asking for the time, which takes longer than all else here.
var longAgo = time.Unix(1, 0)

var processStart = time.Now()

// monotonic is a clock that started with the program and is never 0. It is a
// third of the size of a time.Time.
func monotonic() time.Duration { return time.Since(processStart) + 1 }

// startTimer has fire run after d.
func (w *waiter) startTimer(d time.Duration, fire func()) {
	if w.timer == nil {
		w.timer = time.AfterFunc(d, fire)
	} else {
		w.timer.Reset(d)
	}
}

// fired is called when the timer fires. A timer that was reset after it had
// fired finds a later deadline, or none, and does nothing.
func (w *waiter) fired() (wake bool) {
	if w.deadline == 0 || monotonic() < w.deadline {
		return false
	}
	return w.expire()
}

func (w *waiter) expire() (wake bool) {
	w.expired = true
	if w.state != waiting {
		return false // an op on its way back is not interrupted: its bytes count
	}
	w.state = idle
	return true
}

// interrupt takes a parked call back, for Close.
func (w *waiter) interrupt() (wake bool) {
	if w.timer != nil {
		w.timer.Stop()
	}
	if w.state != waiting {
		return false
	}
	w.state = idle
	return true
}
