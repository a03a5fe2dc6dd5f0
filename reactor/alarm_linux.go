package reactor

import (
	"container/heap"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// alarms has a reactor's watcher look at waiting calls when their deadlines pass.
//
// A call that waits has an alarm that is due no later than its deadline; a call that
// does not wait needs none, since it looks at the clock when it starts. An alarm stays
// when the deadline is put off, as it is for each request of a server: when it is due,
// it is set again. So a deadline mostly costs nothing but its assignment.
//
// There are no timers. The watcher waits on the epoll descriptor through Go's
// netpoller, and that wait has a deadline: the next alarm's, or, as an interrupt, one in the
// past. Deadlines of the netpoller follow the real clock inside a testing/synctest
// bubble, too, like those of package net's connections.
type alarms struct {
	next atomic.Int64 // when the first is due, on the clock of monotonic; 0: none

	mu          sync.Mutex
	heap        alarmHeap
	file        *os.File // the epoll descriptor; nil: closed
	interrupted bool     // the file's deadline is in the past
}

// alarm is a waiter's place in alarms.
type alarm struct {
	owner eventHandler
	at    time.Duration // 0: not set. Written with both locks, the descriptor's and alarms.mu, while it is in the heap.
	place int32         // in the heap, plus 1; 0: not in it. Guarded by alarms.mu.
}

// set has w.alarm.owner's method alarmed called at the given time, or earlier if that was
// asked for before. The mutex of w's descriptor is held.
func (a *alarms) set(at time.Duration, w *waiter) {
	if w.alarm.at != 0 && w.alarm.at <= at {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w.alarm.at = at
	if w.alarm.place > 0 {
		heap.Fix(&a.heap, int(w.alarm.place-1))
	} else {
		heap.Push(&a.heap, w)
	}
	if w.alarm.place == 1 {
		a.rearm()
	}
}

// drop takes w's alarm back. The mutex of w's descriptor is held.
func (a *alarms) drop(w *waiter) {
	if w.alarm.at == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w.alarm.at = 0
	if w.alarm.place == 0 {
		return // it is due, and on its way to the owner
	}
	first := w.alarm.place == 1
	heap.Remove(&a.heap, int(w.alarm.place-1))
	if first {
		a.rearm()
	}
}

// pop takes the alarm that is due first, if it is due by now.
func (a *alarms) pop(now time.Duration) *waiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.heap) == 0 || a.heap[0].alarm.at > now {
		return nil
	}
	w := heap.Pop(&a.heap).(*waiter)
	a.rearm()
	return w
}

// heard says that w's owner has heard of its alarm. The mutex of w's descriptor is
// held.
func (a *alarms) heard(w *waiter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.alarm.place == 0 { // else it has been set again
		w.alarm.at = 0
	}
}

// rearm makes the file's deadline the first alarm's. mu is held.
func (a *alarms) rearm() {
	var at time.Duration
	if len(a.heap) > 0 {
		at = a.heap[0].alarm.at
	}
	a.next.Store(int64(at))
	switch {
	case a.interrupted: // and is rearmed by waited
	case at == 0:
		a.setFile(time.Time{})
	default:
		// The one form that means the same inside a synctest bubble and outside.
		a.setFile(time.Now().Add(max(at-monotonic(), 0)))
	}
}

// interrupt makes a watcher run that sleeps or is about to. It costs no system call: a
// deadline in the past makes the netpoller release the goroutine.
func (a *alarms) interrupt() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.interrupted {
		a.interrupted = true
		a.setFile(longAgo)
	}
}

// waited is called by a watcher with the end of its wait. If that was an interrupt,
// the next wait is possible again; an interrupt that comes afterwards ends that one.
func (a *alarms) waited(err error) {
	if err == nil {
		return
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		panic("reactor: waiting on the epoll descriptor: " + err.Error())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.interrupted {
		a.interrupted = false
		a.rearm()
	}
}

// setFile sets the file's deadline. mu is held.
func (a *alarms) setFile(t time.Time) {
	if a.file == nil {
		return
	}
	if err := a.file.SetReadDeadline(t); err != nil {
		panic("reactor: setting the epoll descriptor's deadline: " + err.Error())
	}
}

// begin is called with the epoll descriptor before anything else.
func (a *alarms) begin(file *os.File) { a.file = file }

// end is called before the file is closed. Whoever ends a call may come to
// interrupt its watcher after the reactor is gone: there is nobody to be interrupted.
func (a *alarms) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.file = nil
}

// fireAlarms looks at the calls whose alarms are due. The caller is the watcher.
func (r *Reactor) fireAlarms() {
	next := r.alarms.next.Load()
	if next == 0 {
		return
	}
	now := monotonic()
	if now < time.Duration(next) {
		return
	}
	for w := r.alarms.pop(now); w != nil; w = r.alarms.pop(now) {
		w.alarm.owner.alarmed(w)
	}
}

// alarmHeap implements heap.Interface.
type alarmHeap []*waiter

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].alarm.at < h[j].alarm.at }

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].alarm.place, h[j].alarm.place = int32(i+1), int32(j+1)
}

func (h *alarmHeap) Push(w any) {
	*h = append(*h, w.(*waiter))
	w.(*waiter).alarm.place = int32(len(*h))
}

func (h *alarmHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	w.alarm.place = 0
	return w
}
