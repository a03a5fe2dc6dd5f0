package reactor

import "sync/atomic"

// leader is the caller that waits for events while its own call waits.
type leader struct {
	call   *waiter                // whose token ends its turn
	asleep atomic.Pointer[waiter] // the same, while it waits for events
	look   func(uintptr) (over bool)
}

// isAsleep reports whether c is the leader's and it waits for events: then a token alone
// does not wake it.
func (l *leader) isAsleep(c *waiter) bool { return l.asleep.Load() == c }

// await waits for the token of c, whose call the caller is.
func (r *Reactor) await(c *waiter) {
	if c.token.take() { // the op was run by the caller itself
		return
	}
	for {
		if r.unwatched() && r.handoff.lead() {
			if r.lead(c) {
				return
			} // else it is counted as parked, and the loop watches
		} else if !r.park() {
			continue
		}
		if !c.token.wait() {
			r.obey(r.woken()) // whoever put the token has not counted it
		}
		return
	}
}

// notify sends c its token. The descriptor's mutex may be held.
func (r *Reactor) notify(c *waiter) {
	if s := c.token.put(); !s.none() {
		signal := r.woken()
		s.ready()
		r.obey(signal)
	} else if r.leader.isAsleep(c) {
		r.obey(wakeWatcher)
	}
}

// lead watches until c's token has come, and reports whether it has. If not, the loop
// watches, and the caller is counted as parked.
func (r *Reactor) lead(c *waiter) (over bool) {
	r.n.leads.Add(1)
	r.leader.call = c
	for {
		r.leader.asleep.Store(c)
		err := r.poll.wait(r.leader.look)
		r.leader.asleep.Store(nil)
		sysmon.keep()
		r.alarms.waited(err)
		others := r.hasParked()
		r.dispatch()
		own := r.firstReader() == c
		r.fireAlarms()
		r.runAll()
		if others && !own {
			yield() // to the calls it has woken: their data came first
		}
		switch {
		case c.token.take():
			r.obey(r.leave(others))
			return true
		case r.isRecalled() || others:
			if inBubble() { // where no loop can be started
				r.stay()
				r.runAll()
				continue
			}
			// It has others, so it should sleep and not watch. Since it is parked now,
			// the loop is started.
			r.retire()
			r.obey(r.leave(others))
			return false
		}
	}
}

// leaderLook is pollSet.wait's look. It reports whether the wait is over.
func (r *Reactor) leaderLook(uintptr) (over bool) {
	return r.poll.collect(maxEvents) > 0 || r.leader.call.token.has() || r.isRecalled()
}

// obey does what a method of handoff asks for. No lock may be held.
func (r *Reactor) obey(s signal) {
	switch s {
	case wakeWatcher:
		r.alarms.interrupt()
	case startLoop:
		if inBubble() {
			r.standIn()
		} else {
			go r.loopFunc() // allocates nothing
		}
	}
}

// standIn does the loop's work on the calling goroutine, which is in a synctest
// bubble: a goroutine started here would belong to the bubble, which cannot end before
// all of its goroutines have. It does not wait for events, but leaves that to a call
// that is parked.
func (r *Reactor) standIn() {
	for r.runAll(); !r.stepDown(); r.runAll() {
	}
	if !r.hasParked() {
		return
	}
	for _, h := range r.poll.slots.handlers() {
		h.recheck()
	}
}
