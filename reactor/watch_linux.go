package reactor

import "sync/atomic"

// watch decides who waits on the epoll descriptor: the reactor's goroutine, or a
// goroutine that has nothing to do but wait for its own call, or nobody.
//
// With many calls parked, the reactor's goroutine watches and wakes them. With
// one, that would be a detour: Go's netpoller would wake the reactor and the
// reactor the caller, often on another thread. So a caller that parks while
// nobody watches becomes the leader: it watches, and runs what it finds, until
// its own call is over. The rules:
//
//  1. A caller counts itself in parked before it looks at state. If that is
//     nobody, it becomes the leader, else it sleeps until its token comes.
//  2. The leader leaves when its token has come, or when it is recalled: it sets
//     state to nobody, then looks at parked. If anyone is, it makes the reactor's
//     goroutine the watcher. So of a caller that parks and a leader that leaves,
//     one sees the other.
//  3. The reactor's goroutine retires when it has seen little to do for a while:
//     it sets state to nobody, then nudges every call that is parked until its
//     socket is ready. Each goes through rule 1 again, so one of them leads.
//  4. While nobody watches, nobody is parked, except between the two halves of
//     rules 2 and 3, and a caller whose op came back unsuccessful to an inline
//     submitter that is not its own; that submitter looks at parked when it is
//     done (Reactor.submit).
//  5. Coalesced writes that wait for room in their socket have no goroutine that
//     waits: they are counted in unattended, and the reactor's goroutine does not
//     retire, nor does a leader leave or an inline submitter finish, without seeing
//     to it that somebody watches for them.
//  6. Whoever sends the leader its token while it sleeps kicks it, see notify.
//
// The watcher alone touches the loop's fields in Reactor.
type watch struct {
	state      atomic.Uint32          // one of the watchers
	parked     atomic.Int32           // calls in await
	unattended atomic.Int32           // coalescers that wait for room
	recall     atomic.Bool            // the leader shall make way for the reactor's goroutine
	asleep     atomic.Pointer[waiter] // the leader's, while it waits on epoll
	awake      chan struct{}          // room for one: starts the reactor's goroutine
}

const (
	watchedByNobody uint32 = iota
	watchedByLeader
	watchedByReactor
)

// startReactor makes the reactor's goroutine the watcher if there is none, and
// reports whether it did.
func (w *watch) startReactor() bool {
	if !w.state.CompareAndSwap(watchedByNobody, watchedByReactor) {
		return false
	}
	w.awake <- struct{}{} // never blocks: the last token was taken before state became nobody
	return true
}

// leave ends the leader's watch.
func (w *watch) leave(pending bool) {
	w.state.Store(watchedByNobody)
	if pending || w.recall.Load() || w.needed() {
		w.startReactor()
	}
}

// needed reports whether anything waits that a watcher has to look for.
func (w *watch) needed() bool { return w.parked.Load() > 0 || w.unattended.Load() > 0 }

// await waits for the token of c, whose call the caller is.
func (r *Reactor) await(c *waiter) {
	if len(c.wake) > 0 { // the op was run by the caller itself
		<-c.wake
		return
	}
	r.parked.Add(1)
	for {
		if r.state.Load() != watchedByNobody {
			<-c.wake
			r.parked.Add(-1)
			return
		}
		if r.state.CompareAndSwap(watchedByNobody, watchedByLeader) && r.lead(c) {
			return
		}
	}
}

// notify sends c its token.
func (r *Reactor) notify(c *waiter) {
	c.wake <- struct{}{} // never blocks: one token, and room for it
	if r.asleep.Load() == c {
		r.kick()
	}
}

// lead watches until c's token has come, and reports whether it has: else the
// leader was recalled.
func (r *Reactor) lead(c *waiter) (over bool) {
	r.n.leads.Add(1)
	for {
		r.leader = c
		r.asleep.Store(c)
		err := r.epConn.Read(r.lookAsLeader)
		r.asleep.Store(nil)
		monitor.keep()
		r.clearKick(err)
		r.dispatch(r.found)
		for r.length() > 0 {
			r.runSome(&r.batch)
		}
		select {
		case <-c.wake:
			r.parked.Add(-1)
			r.leave(r.length() > 0)
			return true
		default:
			if r.recall.Load() || r.parked.Load() > 1 {
				r.leave(true) // it has company, so it should wait and not watch
				return false
			}
		}
	}
}

// leaderLook is what lead runs each time the epoll descriptor becomes readable,
// and once before. It reports whether the wait is over.
func (r *Reactor) leaderLook(uintptr) (over bool) {
	r.found = r.collect(maxEvents)
	return r.found > 0 || len(r.leader.wake) > 0 || r.recall.Load()
}

// activate has the reactor's goroutine look at what is pending.
func (r *Reactor) activate() {
	for {
		switch r.state.Load() {
		case watchedByReactor:
			r.wake()
			r.kick()
			if r.state.Load() == watchedByReactor {
				return
			} // else it retired in the meantime, and may not have seen that
		case watchedByLeader:
			r.recall.Store(true)
			if r.state.Load() == watchedByLeader {
				r.kick()
				return
			}
		default:
			if r.startReactor() {
				return
			}
		}
	}
}

const (
	// defaultLonelyParks is how many times in a row the reactor goes to sleep with
	// at most one call parked before it leaves watching to the callers.
	defaultLonelyParks = 16

	// maxNudges bounds the descriptors the reactor looks through for that call.
	maxNudges = 256
)

// retire leaves watching to the callers if that promises to be faster, and
// reports whether it did. The reactor has nothing to do.
func (r *Reactor) retire() bool {
	if r.parked.Load() > 1 || r.unattended.Load() > 0 {
		r.lonely = 0
		return false
	}
	if r.lonely++; r.lonely < r.lonelyParks || r.stopping.Load() || !r.slots.atMost(maxNudges) || !r.park() {
		return false
	}
	r.lonely = 0
	r.state.Store(watchedByNobody)
	// Ops may have been added, and activate called for them, since the queue was
	// found empty: whoever did that before the line above relies on this one.
	if !r.park() || r.unattended.Load() > 0 {
		r.startReactor()
	}
	for _, h := range r.slots.handlers() {
		h.nudge()
	}
	return true
}
