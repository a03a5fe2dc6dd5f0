package reactor

// This file has the actions of the two watchers: Reactor.lead with leaderLook,
// Reactor.loop with loopWait, and the standIn of a synctest bubble.

// lead is Reactor.lead up to the Read.
func (t *turn) lead(side uint8) {
	t.w.asleep = side + 1
	t.then(task{toPrepareRead, side})
}

// prepareRead is what RawConn.Read does first: it takes a lock, looks at the deadline
// and clears the netpoller's flag. An event between the last two is found by the look.
func (t *turn) prepareRead(side uint8) {
	if t.w.freed {
		t.failf("a watcher reads the epoll descriptor, which is closed")
	}
	if t.a.err = t.w.overdue(); t.a.err {
		t.back(side)
		return
	}
	t.w.reader = uint8(t.i) + 1
	if t.fault != faultLateReset {
		t.w.flag = false
	}
	t.then(task{toLook, side})
}

// look is the beginning of leaderLook and of lookOrDecide.
func (t *turn) look(side uint8) {
	switch {
	case t.collect():
		t.back(side)
	case t.a.role == roleLeader:
		t.then(task{toLookToken, side})
	case t.a.slept:
		t.sleep(side)
	default:
		t.then(t.method("decide"), task{do: toDecided})
	}
}

// collect is Reactor.collect.
func (t *turn) collect() (any bool) {
	for i := range t.w.conns {
		c := t.conn(uint8(i))
		if !c.listed {
			continue
		}
		c.listed = false
		if c.data > 0 || c.urgent {
			t.a.found[i] |= eventIn
			c.urgent = false
		}
		if c.room > 0 {
			t.a.found[i] |= eventOut
		}
		any = any || t.a.found[i] != 0
	}
	return any
}

func (t *turn) lookToken(side uint8) {
	switch {
	case t.w.side(side).token == tokenPresent && t.fault != faultToken:
		t.back(side)
	default:
		t.then(task{toLookRecalled, side})
	}
}

func (t *turn) lookRecalled(side uint8) {
	if t.w.h.fields[fieldRecalled] != 0 {
		t.back(side)
	} else {
		t.sleep(side)
	}
}

// sleep waits in the netpoller.
func (t *turn) sleep(side uint8) {
	t.then(task{toWaitRead, side})
	if t.fault == faultLateReset {
		t.then(task{do: toResetFlag})
	}
}

func (t *turn) resetFlag(uint8) { t.w.flag = false }

func (t *turn) waitRead(side uint8) {
	if t.a.err = t.w.overdue(); t.a.err {
		t.back(side)
		return
	}
	t.w.flag = false
	t.then(task{toLook, side})
}

// back returns from the Read.
func (t *turn) back(side uint8) {
	if t.a.role == roleLeader {
		t.then(task{toLeadBack, side})
	} else {
		t.then(task{do: toLoopBack})
	}
}

// waited is alarms.waited with an error.
func (t *turn) waited(uint8) { t.w.interrupted, t.a.err = false, false }

// The next ones are Reactor.lead after the Read.

func (t *turn) leadBack(side uint8) {
	t.w.asleep, t.w.reader = 0, 0
	t.then(task{toLookCompany, side})
	if t.a.err {
		t.then(task{do: toWaited})
	}
}

func (t *turn) lookCompany(side uint8) {
	t.a.others = t.w.h.fields[fieldParked] > 0
	t.then(task{do: toRunAll}, task{toDecide, side})
	t.fireAlarms()
	t.dispatch()
}

func (t *turn) decide(side uint8) {
	if t.takeToken(side) {
		t.leave()
	} else {
		t.then(task{toDecideRecall, side})
	}
}

func (t *turn) decideRecall(side uint8) {
	switch {
	case t.w.h.fields[fieldRecalled] == 0 && !t.a.others:
		t.then(task{toLead, side})
	case t.bubble():
		t.a.others = false
		t.then(task{do: toRunAll}, task{toLead, side})
		if t.fault != faultStay {
			t.then(t.method("stay"))
		}
	default:
		t.then(task{toWait, side})
		t.leave()
		t.then(t.method("retire"))
	}
}

func (t *turn) leave() {
	if t.a.others {
		t.a.param = 1
	}
	t.a.others = false
	t.then(t.method("leave"), task{do: toObey})
}

// runAll is Reactor.runAll.
func (t *turn) runAll(uint8) { t.then(t.method("length"), task{do: toRunMore}) }

func (t *turn) runMore(uint8) {
	if t.result() > 0 {
		t.then(t.method("take"), task{do: toTaken}, task{do: toRunAll})
	}
}

// The next ones are Reactor.loop.

func (t *turn) runLoop(uint8) { t.then(t.method("length"), task{do: toLoopPass}) }

func (t *turn) loopPass(uint8) {
	switch pending := t.result(); {
	case pending == 0:
		t.then(task{do: toPrepareRead})
	default:
		t.then(task{do: toLoopCollect})
	}
}

func (t *turn) loopCollect(uint8) {
	t.collect()
	t.finishPass()
}

// finishPass does what a pass does after its look at epoll, if it had one.
func (t *turn) finishPass() {
	t.then(t.method("take"), task{do: toTaken}, task{do: toRunLoop})
	t.fireAlarms()
	t.dispatch()
}

// decided is lookOrDecide after handoff.decide.
func (t *turn) decided(uint8) {
	switch verdict(t.result()) {
	case goOn:
		t.back(0)
	case sleep:
		t.a.slept = true
		t.sleep(0)
	case end:
		t.then(task{do: toReadUnlock})
	}
}

// readUnlock is the end of a Read of a loop that has ended.
func (t *turn) readUnlock(uint8) { t.w.reader = 0 }

// loopBack is forEvents after the Read.
func (t *turn) loopBack(uint8) {
	t.w.reader = 0
	t.then(task{do: toLoopWaited})
	if t.a.err {
		t.then(task{do: toWaited})
	}
	if t.a.slept {
		t.then(t.method("resume"))
	}
	t.a.slept = false
}

func (t *turn) loopWaited(uint8) {
	t.finishPass()
}

// standIn is Reactor.standIn.
func (t *turn) standIn(uint8) {
	t.then(task{do: toRunAll}, t.method("stepDown"), task{do: toStoodDown})
}

func (t *turn) stoodDown(uint8) {
	switch {
	case t.result() == 0:
		t.then(task{do: toStandIn})
	case t.fault != faultStandIn:
		t.then(task{do: toRechecks})
	}
}

// rechecks is the end of Reactor.standIn, if a call is parked.
func (t *turn) rechecks(uint8) {
	if t.w.h.fields[fieldParked] > 0 {
		for c := t.sc.conns; c > 0; c-- {
			t.then(task{toRecheck, uint8(c - 1)})
		}
	}
}

// recheck is FD.recheck.
func (t *turn) recheck(c uint8) {
	t.conn(c).lock = uint8(t.i) + 1
	t.then(task{toRecheckWriter, c})
	t.recheckSide(2 * c)
}

func (t *turn) recheckWriter(c uint8) {
	t.then(task{toUnlock, c})
	t.recheckSide(2*c + 1)
}

// unlock unlocks a connection.
func (t *turn) unlock(c uint8) { t.conn(c).lock = 0 }

// dispatch is Reactor.dispatch.
func (t *turn) dispatch() {
	if t.a.found == [maxConns]uint8{} {
		return
	}
	t.then(t.method("requeue"))
	for c := len(t.a.found) - 1; c >= 0; c-- {
		if t.a.found[c] != 0 {
			t.then(task{toHandle, uint8(c)})
		}
	}
}

// handle is FD.event.
func (t *turn) handle(i uint8) {
	c, found := t.conn(i), t.a.found[i]
	t.a.found[i] = 0
	rd, wr := &c.sides[0], &c.sides[1]
	if found&eventIn != 0 && !c.closes && c.event(rd) {
		c.enqueue(rd)
		t.ready(sideOp(2 * i))
	}
	if found&eventOut == 0 {
		return
	}
	if c.event(wr) && !c.closes {
		if wr.state == callPolling { // with the mutex held
			c.lock = uint8(t.i) + 1
			t.then(task{toFlushOnEvent, i})
			t.recheckSide(2*i + 1)
			return
		}
		c.enqueue(wr)
		t.ready(sideOp(2*i + 1))
	}
	t.flushOnEvent(i)
}

// flushOnEvent is coalescer.event, and the end of FD.event.
func (t *turn) flushOnEvent(i uint8) {
	c := t.conn(i)
	c.lock = 0
	if c.co.state == callWaiting {
		c.co.state.move(callQueued)
		t.w.h.fields[fieldRoomWaiters]--
		t.ready(bufferOp(i))
	}
}

// ready adds o to the ops that events have set off.
func (t *turn) ready(o opID) {
	for k := range t.a.ops {
		if t.a.ops[k] == 0 {
			t.a.ops[k] = o
			return
		}
	}
	panic("more ops than an actor has room for")
}

// fireAlarms is Reactor.fireAlarms.
func (t *turn) fireAlarms() {
	if t.sc.timed {
		t.then(task{do: toFire})
	}
}

func (t *turn) fire(uint8) {
	for side := range uint8(2 * maxConns) {
		if s := t.w.side(side); t.w.late && s.alarm == alarmSet {
			s.alarm = alarmRings // alarms.pop
			t.then(task{toRing, side}, task{do: toFire})
			return
		}
	}
}

// ring is FD.alarmed.
func (t *turn) ring(side uint8) {
	t.w.side(side).alarm = alarmOff
	t.interrupt(side, resultTimeout)
}
