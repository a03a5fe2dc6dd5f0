package reactor

// This file has the actions of buffered writes, of what ends calls from outside, and of
// peers.

// startWrite is coalescer.write. There is always room in the buffer.
func (t *turn) startWrite(i uint8) {
	c := t.conn(i)
	if c.closes {
		return
	}
	if t.bubble() {
		t.then(task{toFlush, i})
	}
	c.co.buf++
	if c.co.state == callIdle {
		c.co.state.move(callQueued)
		c.holds++
		t.a.ops[0] = bufferOp(i)
		t.then(t.method("add"), task{do: toObey})
	}
}

// flush is coalescer.drain.
func (t *turn) flush(i uint8) { t.then(task{toRetry, i}, task{toUntil, i}) }

// drained is the condition in coalescer.drain, or the reason why that gives up.
func (t *turn) drained(i uint8) bool {
	c := t.conn(i)
	return c.closes || c.co.failed || c.co.state == callIdle
}

// retry is coalescer.retry.
func (t *turn) retry(i uint8) {
	c := t.conn(i)
	s := &c.sides[1]
	if c.co.state != callWaiting || c.closes || t.w.expired(s) {
		return
	}
	c.co.state.move(callQueued)
	s.ready = true
	c.lock = uint8(t.i) + 1
	t.then(t.method("foundRoom"), task{toUnlock, i}, task{do: toObey}, task{toSubmit, uint8(bufferOp(i))})
}

// until is FD.until in coalescer.drain.
func (t *turn) until(i uint8) {
	s := &t.conn(i).sides[1]
	s.rechecks()
	if t.drained(i) || t.w.expired(s) {
		return
	}
	s.wait(callPolling)
	t.then(task{toAwait, 2*i + 1}, task{toUntil, i})
}

// prepareOp is coalescer.prepare for an op of the batch.
func (t *turn) prepareOp(k uint8) {
	co := &t.conn(t.a.batch[k].conn()).co
	if co.out == 0 {
		co.out, co.buf = co.buf, 0
	}
	co.since = false
}

// flushed is coalescer.complete.
func (t *turn) flushed(o opID, n int8) {
	i := o.conn()
	c := t.conn(i)
	co, wr := &c.co, &c.sides[1]
	if n > 0 {
		co.out -= n
	} else {
		t.exhausted(wr, co.since)
	}
	co.since = false
	switch {
	case co.out == 0 && co.buf == 0:
		c.end()
	case wr.ready:
		t.a.ops[0] = o
		t.then(t.method("requeue"))
	case c.gaveUp:
		c.fail()
		c.end()
	default:
		co.state.move(callWaiting)
		if t.fault != faultRoomWaiters {
			t.w.h.fields[fieldRoomWaiters]++
		}
	}
	if wr.state == callPolling {
		c.lock = uint8(t.i) + 1
		t.then(task{toUnlock, i})
		t.recheckSide(2*i + 1)
	}
}

// setDeadline is FD.SetDeadline with a time that has passed.
func (t *turn) setDeadline(side uint8) {
	if !t.conn(side / 2).closes {
		t.w.side(side).past = true
		t.interrupt(side, resultTimeout)
	}
}

// closeConn is FD.Close.
func (t *turn) closeConn(i uint8) {
	c := t.conn(i)
	c.closes = true
	for k := len(c.sides) - 1; k >= 0; k-- {
		c.sides[k].alarm = alarmOff
		t.interrupt(2*i+uint8(k), resultClosed)
	}
}

// abandon is FD.abandon with coalescer.closeTimedOut.
func (t *turn) abandon(i uint8) {
	c := t.conn(i)
	if c.co.state == callIdle {
		return
	}
	c.gaveUp = true
	if c.co.state == callWaiting {
		t.w.h.fields[fieldRoomWaiters]--
		c.fail()
		c.end()
	}
}

// closed is Reactor.Close after handoff.close.
func (t *turn) closed(uint8) {
	t.then(task{do: toFree})
	if t.result() != 0 {
		t.then(task{do: toInterrupt}, task{do: toAwaitLeft})
	}
}

func (t *turn) awaitLeft(uint8) { t.w.h.left = false }

func (t *turn) free(uint8) { t.w.freed = true }

// nothing is a wait that is over.
func (t *turn) nothing(uint8) {}

// arrive is data from the peer.
func (t *turn) arrive(i uint8) {
	t.conn(i).data++
	t.raise(i)
}

// urge is an event of reading that brings no data, as urgent data cause it.
func (t *turn) urge(i uint8) {
	t.conn(i).urgent = true
	t.raise(i)
}

// answer is data from a peer that has got something.
func (t *turn) answer(i uint8) {
	t.conn(i).answered++
	t.arrive(i)
}

// makeRoom is the peer reading what fills the socket.
func (t *turn) makeRoom(i uint8) {
	t.conn(i).room += t.sc.units
	t.raise(i)
}

// makeLittle is room that causes no event.
func (t *turn) makeLittle(i uint8) { t.conn(i).room += t.sc.units }

// raise is an event of a socket.
func (t *turn) raise(i uint8) {
	t.conn(i).listed = true
	if t.sc.lateFlag {
		t.w.edge = true
	} else {
		t.w.flag = true
	}
}

// passTime is the deadlines of calls passing.
func (t *turn) passTime(uint8) { t.w.late = true }
