package reactor

import "runtime"

// loop is the reactor's goroutine: it runs ops and waits for events until there is
// nothing to watch for.
func (r *Reactor) loop() {
	r.n.loops.Add(1)
	wait := r.loopWaits.Get().(*loopWait)
	defer r.loopWaits.Put(wait)
	yield() // a new goroutine is first in the scheduler's queue; who was woken goes before
	for {
		if r.length() > 0 {
			// Connections that write all the time must not keep others from being read.
			r.poll.collect(maxEvents)
			r.dispatch()
		} else if !wait.forEvents() {
			return
		}
		r.fireAlarms()
		if ran, asked := r.runSome(&r.batch); ran {
			turn := r.policy.begin()
			yield()
			r.policy.end(turn, asked)
		}
	}
}

// loopWait is how the loop waits. It is not the reactor's, which may have another
// watcher as soon as the verdict is that the loop ends.
type loopWait struct {
	r       *Reactor
	verdict verdict
	look    func(uintptr) (over bool)
}

func newLoopWait(r *Reactor) *loopWait {
	w := &loopWait{r: r}
	w.look = w.lookOrDecide
	return w
}

// forEvents parks the loop until there are events or until it is interrupted, unless ops
// are pending, and handles the events. It reports whether the loop still watches. On
// return it is running, or has ended.
func (w *loopWait) forEvents() (watching bool) {
	r := w.r
	w.verdict = goOn
	err := r.poll.wait(w.look)
	switch w.verdict {
	case end:
		return false
	case sleep:
		sysmon.keep()
		r.resume()
	}
	r.alarms.waited(err)
	r.dispatch()
	return true
}

// lookOrDecide is pollSet.wait's look. It reports whether the wait is over.
func (w *loopWait) lookOrDecide(uintptr) (over bool) {
	r := w.r
	if found := r.poll.collect(maxEvents); found > 0 || w.verdict == sleep {
		return found > 0
	}
	if w.verdict = r.decide(); w.verdict == sleep {
		r.n.parks.Add(1)
	}
	return w.verdict != sleep
}

// dispatch queues what the events set off that were collected. The caller is the
// watcher.
func (r *Reactor) dispatch() {
	if r.poll.found == 0 {
		return
	}
	ready := r.poll.dispatch()
	r.requeue(ready...)
	r.poll.dispatched(ready)
}

// yield lets every runnable goroutine go first. runtime.Gosched queues behind
// all of them, on the global queue; a local yield would starve connections.
func yield() { runtime.Gosched() }
