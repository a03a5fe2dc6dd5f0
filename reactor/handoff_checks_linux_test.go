package reactor

// check looks at what holds in every state.
func (x *explorer) check(w *world) {
	f := &w.h.fields
	if f[fieldParked] < 0 || f[fieldRoomWaiters] < 0 {
		x.failf("parked is %d, roomWaiters %d", f[fieldParked], f[fieldRoomWaiters])
	}
	var seen [3*maxConns + 1]bool
	note := func(ops []opID) {
		for _, o := range ops {
			if o != 0 && seen[o] {
				x.failf("%v is in two places", o)
			}
			seen[o] = true
		}
	}
	note(w.h.pending[:])
	watchers := 0
	who := watchedByNobody // or closed
	for i := range w.actors {
		a := &w.actors[i]
		note(a.ops[:])
		note(a.batch[:])
		switch a.role {
		case roleNone:
			continue
		case roleLeader:
			who = watchedByLeader
		default:
			who = watchedByLoop
		}
		watchers++
	}
	if watchers > 1 {
		x.failf("there are %d watchers", watchers)
	}
	if w.h.mu == 0 && w.h.watched() != who {
		x.failf("watcher is %d, but should be %d", f[fieldWatcher], who)
	}
}

// checkFinal looks at what holds once nothing more can happen.
func (x *explorer) checkFinal(w *world) {
	f := &w.h.fields
	if w.h.len() > 0 {
		x.failf("%v is still pending", w.h.pending[0])
	}
	var parked, roomWaiters, calls int8
	for i := range w.conns {
		c := &w.conns[i]
		for k := range c.sides {
			side := uint8(2*i + k)
			s := &c.sides[k]
			switch {
			case s.token == tokenPresent:
				x.failf("the token of %s is left over", sideName(side))
			case s.state == callQueued:
				x.failf("%v is never run", sideOp(side))
			case s.state.asleep() && (c.closes || w.expired(s)):
				x.failf("the call of %s is not interrupted", sideName(side))
			case s.state.asleep() && k == 0 && c.data > 0:
				x.failf("%s is not told of its data", sideName(side))
			case s.state.asleep() && s.unsent > 0 && c.room > 0:
				x.failf("%s is not told of the room", sideName(side))
			case s.state == callPolling && c.co.state == callIdle:
				x.failf("%s is not told that nothing is left to send", sideName(side))
			}
			if s.state.asleep() {
				calls++
			}
		}
		switch {
		case c.co.state == callQueued:
			x.failf("%v is never run", bufferOp(uint8(i)))
		case c.co.state == callWaiting && c.room > 0 && !x.sc.little:
			x.failf("%v is not told of the room", bufferOp(uint8(i)))
		case c.co.state == callWaiting:
			roomWaiters++
		}
		if c.lock != 0 {
			x.failf("the mutex of connection %d is held", i)
		}
	}
	for i := range w.actors {
		if a := &w.actors[i]; a.n > 0 {
			x.checkBlocked(w, i, a.todo[a.n-1], &parked)
		} else if i < len(x.sc.actors) && int(a.line) < len(x.sc.actors[i].tasks) {
			x.failf("%s has not finished", x.sc.actors[i].name)
		}
	}
	if parked != f[fieldParked] || roomWaiters != f[fieldRoomWaiters] {
		x.failf("parked is %d and roomWaiters %d, but should be %d and %d", f[fieldParked], f[fieldRoomWaiters], parked, roomWaiters)
	}
	watched := w.h.watched() != watchedByNobody
	if watched != (calls > 0 || roomWaiters > 0) {
		x.failf("watcher is %d while %d calls and %d buffered writes wait", f[fieldWatcher], calls, roomWaiters)
	}
	if f[fieldRunning] != 0 {
		x.failf("the loop is said to be running")
	}
	if w.asleep != 0 && f[fieldWatcher] != int8(watchedByLeader) {
		x.failf("asleep is set, but no leader is there")
	}
	if f[fieldWatcher] == int8(watchedByLeader) && f[fieldRecalled] != 0 {
		x.failf("a leader sleeps that has been recalled")
	}
}

// checkBlocked looks at the actor i, which is blocked in k for good.
func (x *explorer) checkBlocked(w *world, i int, k task, parked *int8) {
	name, side := x.nameOf(i), k.x
	switch {
	case k.do == toWakeUp && w.side(side).token == tokenSleeper:
		*parked++
	case k.do == toWaitRead && w.actors[i].role == roleLoop:
		return
	case k.do == toWaitRead && w.actors[i].role == roleLeader:
	default:
		x.failf("%s is stuck in %s", name, actions[k.do].name)
		return
	}
	if x.sc.forever&(1<<side) == 0 {
		x.failf("%s waits for ever", name)
	}
	if !w.side(side).state.asleep() {
		x.failf("%s waits, but nothing is under way", name)
	}
}
