package reactor

import "slices"

// This file has the actions of calls: FD.Read and FD.Write, Reactor.await and notify,
// Reactor.submit and runInline, with batches and their completions.

// start is FD.Read, or FD.look when the call goes on.
func (t *turn) start(side uint8) {
	c, s := t.conn(side/2), t.w.side(side)
	s.rechecks()
	s.result = resultPending
	switch {
	case c.closes:
		s.result = resultClosed
	case t.w.expired(s):
		s.result = resultTimeout
	case !s.ready:
		s.wait(callWaiting)
		t.then(task{toAwait, side}, task{toEndCall, side})
	default:
		c.enqueue(s)
		t.then(task{toSubmit, uint8(sideOp(side))}, task{toAwait, side}, task{toEndCall, side})
	}
}

// startSend is FD.Write, unbuffered.
func (t *turn) startSend(side uint8) {
	s := t.w.side(side)
	s.ready, s.unsent = true, t.sc.units
	t.start(side)
}

// endCall is FD.perform after await.
func (t *turn) endCall(side uint8) {
	switch s := t.w.side(side); {
	case s.state == callRecheck:
		t.then(task{toStart, side})
	case s.result == resultPending:
		t.failf("the call of %s returns without a result", sideName(side))
	}
}

// submit is Reactor.submit. Accept runs its ops itself, whoever watches.
func (t *turn) submit(o uint8) {
	if t.sc.acceptor {
		t.a.batch[0] = opID(o)
		t.then(task{do: toRunInline})
		return
	}
	t.a.ops[0] = opID(o)
	t.then(t.method("push"), task{toPushed, o})
}

func (t *turn) pushed(o uint8) {
	if t.result() != 0 {
		t.a.batch[0] = opID(o)
		t.then(task{do: toRunInline})
	}
}

// The next ones are Reactor.await.

func (t *turn) await(side uint8) {
	if !t.takeToken(side) {
		t.then(task{toAwaitLook, side})
	}
}

func (t *turn) awaitLook(side uint8) {
	if t.nobodyWatches() {
		t.then(t.method("lead"), task{toAwaitLed, side})
	} else {
		t.then(t.method("park"), task{toParked, side})
	}
}

func (t *turn) awaitLed(side uint8) {
	if t.result() != 0 {
		t.then(task{toLead, side})
	} else {
		t.then(t.method("park"), task{toParked, side})
	}
}

func (t *turn) parked(side uint8) {
	if t.result() != 0 {
		t.then(task{toWait, side})
	} else {
		t.then(task{toAwaitLook, side})
	}
}

// wait is token.wait.
func (t *turn) wait(side uint8) {
	if t.takeToken(side) {
		t.then(t.method("woken"), task{do: toObey})
		return
	}
	t.w.side(side).token = tokenSleeper
	t.then(task{toWakeUp, side})
}

func (t *turn) wakeUp(side uint8) { t.w.side(side).token = tokenAbsent }

// takeToken is token.take.
func (t *turn) takeToken(side uint8) bool {
	s := t.w.side(side)
	if s.token != tokenPresent {
		return false
	}
	s.token = tokenAbsent
	return true
}

func (t *turn) nobodyWatches() bool {
	return t.w.h.fields[fieldWatcher] == int8(watchedByNobody)
}

// The next ones are Reactor.notify.

func (t *turn) putToken(side uint8) {
	s := t.w.side(side)
	switch s.token {
	case tokenAbsent:
		s.token = tokenPresent
		if t.fault != faultAsleep {
			t.then(task{toLookAsleep, side})
		}
	case tokenSleeper:
		s.token = tokenOwed
		t.then(t.method("woken"), task{toReadyGo, side}, task{do: toObey})
	default:
		t.failf("%s is owed two tokens", sideName(side))
	}
}

func (t *turn) lookAsleep(side uint8) {
	if t.w.asleep == side+1 {
		t.then(task{do: toInterrupt})
	}
}

func (t *turn) readyGo(side uint8) { t.w.side(side).token = tokenReady }

// interrupt is waiter.checkDeadline, or waiter.interrupt, with what follows: it ends a
// call that sleeps.
func (t *turn) interrupt(side uint8, r simResult) {
	if s := t.w.side(side); s.state.asleep() {
		s.settle(r)
		t.then(task{toPutToken, side})
	}
}

// recheckSide is FD.recheckSide.
func (t *turn) recheckSide(side uint8) {
	if s := t.w.side(side); s.state.asleep() {
		s.state.move(callRecheck)
		t.then(task{toPutToken, side})
	}
}

// obey is Reactor.obey.
func (t *turn) obey(uint8) {
	switch signal(t.result()) {
	case wakeWatcher:
		t.then(task{do: toInterrupt})
	case startLoop:
		if t.bubble() {
			t.a.role = roleLoop
			t.then(task{do: toStandIn})
		} else {
			t.then(task{do: toSpawn})
		}
	}
}

// interruptWait is alarms.interrupt.
func (t *turn) interruptWait(uint8) { t.w.interrupted = true }

// runInline is Reactor.runInline for the op in the batch.
func (t *turn) runInline(uint8) {
	t.then(task{do: toRunBatch}, task{do: toRunMine})
}

func (t *turn) runMine(uint8) { t.then(t.method("hasMore"), task{do: toRanMine}) }

func (t *turn) ranMine(uint8) {
	if t.result() != 0 {
		t.then(t.method("take"), task{do: toTaken}, task{do: toRunMine})
		return
	}
	if t.fault != faultEnsure {
		t.then(t.method("ensure"), task{do: toObey})
	}
}

// taken is Reactor.runSome after handoff.take.
func (t *turn) taken(uint8) {
	if t.a.batch[0] != 0 {
		t.then(task{do: toRunBatch})
	}
}

// runBatch is Reactor.run. The first RECV is completed last.
func (t *turn) runBatch(uint8) {
	batch := &t.a.batch
	first := slices.IndexFunc(batch[:], opID.receives)
	if first >= 0 {
		t.then(task{toComplete, uint8(first)})
	}
	for k := len(batch) - 1; k >= 0; k-- {
		if batch[k] != 0 && k != first {
			t.then(task{toComplete, uint8(k)})
		}
	}
	t.then(task{do: toEngine})
	for k := len(batch) - 1; k >= 0; k-- {
		if batch[k].buffers() {
			t.then(task{toPrepareOp, uint8(k)})
		}
	}
}

// engine has the kernel run the batch. What happens to a socket between two ops of
// others might as well happen before both.
func (t *turn) engine(uint8) {
	if t.w.freed {
		t.failf("ops are run after the reactor has been freed")
	}
	for k, o := range t.a.batch {
		if o == 0 {
			continue
		}
		c := t.conn(o.conn())
		n := int8(0)
		switch {
		case o.buffers():
			n = min(c.co.out, c.room)
		case o.sends():
			n = min(1, c.room) // a short write
		case c.data > 1:
			n = 1
		case c.data == 1:
			n = tookAll
		}
		t.a.answers[k] = n
		if o.buffers() || o.sends() {
			c.room -= n
			c.sent += n
		} else {
			c.data -= min(n, 1)
		}
	}
}

// tookAll is the answer to a RECV that got the last unit.
const tookAll = 2

// complete is FD.complete for an op of the batch.
func (t *turn) complete(k uint8) {
	o, n := t.a.batch[k], t.a.answers[k]
	t.a.batch[k], t.a.answers[k] = 0, 0
	if o.buffers() {
		t.flushed(o, n)
		return
	}
	c, side := t.conn(o.conn()), o.side()
	s := t.w.side(side)
	over := t.transferred(s, o, n)
	again := !over && s.ready
	switch {
	case over:
	case c.closes:
		s.settle(resultClosed)
		over, again = true, false
	case t.w.expired(s):
		s.settle(resultTimeout)
		over, again = true, false
	case !again:
		s.wait(callWaiting)
	}
	s.since = false
	if !again {
		c.holds--
	}
	switch {
	case over:
		t.then(task{toPutToken, side})
	case again:
		t.a.ops[0] = o
		t.then(t.method("requeue"))
	}
}

// transferred is FD.received or FD.sent.
func (t *turn) transferred(s *simSide, o opID, n int8) (over bool) {
	if n == 0 {
		t.exhausted(s, s.since)
		return false
	}
	if o.sends() {
		s.unsent -= n
		over = s.unsent == 0
	} else {
		if n == tookAll {
			t.exhausted(s, s.since)
		}
		over = true
	}
	if over {
		s.settle(resultDone)
	}
	return over
}

// exhausted is waiter.exhausted. since says that an event has come since the op was
// queued.
func (t *turn) exhausted(s *simSide, since bool) {
	if !since || t.fault == faultEpoch {
		s.ready = false
	}
}
