package reactor

// await waits for the token of c, whose call the caller is.
func (r *Reactor) await(c *waiter) {
	if c.token.take() { // the op was run by the caller itself
		return
	}
	for {
		if r.watcher.Load() == watchedByNobody && r.handoff.lead() {
			if r.lead(c) {
				return
			} // else it is counted in parked, and the loop watches
		} else {
			r.parked.Add(1)
			if r.watcher.Load() == watchedByNobody {
				r.parked.Add(-1)
				continue
			}
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
	} else if r.asleep.Load() == c {
		r.obey(kick)
	}
}

// lead watches until c's token has come, and reports whether it has. Else the loop
// watches, and the caller is counted in parked.
func (r *Reactor) lead(c *waiter) (over bool) {
	r.n.leads.Add(1)
	r.leader = c
	for {
		r.found = 0
		r.asleep.Store(c)
		err := r.epConn.Read(r.lookAsLeader)
		r.asleep.Store(nil)
		monitor.keep()
		r.alarms.waited(err)
		company := r.parked.Load() > 0
		r.dispatch(r.found)
		own := r.firstReader() == c
		r.fireAlarms()
		r.runAll()
		if company && !own {
			yield() // to whom it has woken: what came for them has come first
		}
		switch {
		case c.token.take():
			r.obey(r.leave(company))
			return true
		case r.recalled.Load() || company:
			if inBubble() { // where no loop can be started
				r.stay()
				r.runAll()
				continue
			}
			// It has company, so it should sleep and not watch. Since it is parked now,
			// the loop is started.
			r.parked.Add(1)
			r.obey(r.leave(company))
			return false
		}
	}
}

// runAll runs what is pending. The caller is the watcher.
func (r *Reactor) runAll() {
	for r.length() > 0 {
		r.runSome(&r.batch)
	}
}

// leaderLook is what lead runs each time the epoll descriptor becomes readable,
// and once before. It reports whether the wait is over.
func (r *Reactor) leaderLook(uintptr) (over bool) {
	r.found = r.collect(maxEvents)
	return r.found > 0 || r.leader.token.has() || r.recalled.Load()
}

// obey does what a method of handoff asks for. No lock may be held.
func (r *Reactor) obey(s signal) {
	switch s {
	case kick:
		r.alarms.kick()
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
	if r.parked.Load() > 0 {
		r.nudgeAll()
	}
}

// nudgeAll has every call that waits for readiness look again who watches.
func (r *Reactor) nudgeAll() {
	for _, h := range r.slots.handlers() {
		h.nudge()
	}
}
