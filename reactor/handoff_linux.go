package reactor

import (
	"sync"
	"sync/atomic"

	"github.com/netring-go/netring/reactor/engine"
)

// handoff decides who runs queued ops and who waits for events. It is one protocol
// between four parties:
//
//   - a caller wants an op run and waits for it;
//   - an inline submitter is a caller that runs its op, and what else is pending, itself;
//   - the leader is a caller that waits for events while its own call waits;
//   - the loop is the reactor's goroutine. It runs ops and waits for events as long as
//     there is reason to, and ends then.
//
// Leader and loop are watchers. There is at most one watcher: with one call waiting it
// is that call, with more the loop. With the loop alone, a single call would take a
// detour: Go's netpoller wakes the loop and the loop wakes the caller, often on another
// thread.
//
// Everything below changes under mu. The atomic fields may be read without mu; the two
// counters change without mu, too, see rule 4. The rules:
//
//  1. The loop is running, or it sleeps. While it runs, push and add only append: the
//     loop finds the queue empty, and stops running, in one critical section (decide).
//  2. While the loop does not run, push makes its caller an inline submitter, which goes
//     on until nothing is pending. So ops queued by completions are run by whoever caused
//     them.
//  3. Whoever leaves an op to others asks call who has to run it. It does so in the
//     critical section that appends the op or finds it pending. A loop that runs will run
//     the op. A loop that sleeps is marked running and woken. A leader is recalled and
//     woken. Without a watcher, the loop is started. The state cannot change between the
//     answer and the mark, so nobody has to look again.
//  4. A caller that sleeps is counted in parked before it looks at watcher. A coalescer
//     that waits for room, for which no call need wait, is counted in roomWaiters before
//     its runner looks. A watcher that leaves sets watcher to nobody before it looks at
//     both counters (leave, decide). So one of the two sees the other: the caller leads,
//     or the loop is started.
//  5. Where no loop can be started, in a synctest bubble, a caller stands in for it and
//     steps down with calls parked. It then has those calls recheck, that is, go through
//     rule 4 again. A caller whose op is with an inline submitter cannot recheck. That
//     submitter looks after it, see ensure.
//  6. Whoever wakes the last parked caller of a loop that sleeps has the loop end: there
//     is no goroutine without a call that waits.
//
// Readiness has its own half of the protocol, in pollSet.wait: the netpoller's flag for
// the epoll descriptor is cleared, then the descriptor is polled, and only then does the
// watcher sleep. An event before the poll is found by it; an event after the poll sets
// the flag.
//
// handoff_linux_test.go runs every interleaving of these steps.
type handoff struct {
	mu      sync.Mutex
	pending opQueue
	running bool // the loop is at work

	watcher     atomic.Uint32 // who waits for events
	recalled    atomic.Bool   // the leader shall run what is pending
	parked      atomic.Int32  // calls that sleep or are about to, without the leader's
	roomWaiters atomic.Int32  // coalescers that wait for room

	closing bool  // the reactor waits for its last watcher to leave
	left    token // put by that watcher
}

const (
	watchedByNobody uint32 = iota
	watchedByLeader
	watchedByLoop
	watchedNoMore // the reactor is closed; a call that still parks is about to be woken
)

// signal is what the caller of a handoff's method has to do once mu is released.
type signal uint8

const (
	nothing     signal = iota
	wakeWatcher        // the watcher: it may sleep
	startLoop          // which is marked as watching, and running, already
)

// push queues ops, or, if it reports true, leaves them to the caller as an inline
// submitter: it must run them and then everything take returns while hasMore says so.
func (h *handoff) push(ops ...*op) (inline bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running {
		return true
	}
	h.pending.push(ops...)
	return false
}

// requeue queues ops whose runner is already bound to call take again: a
// watcher, or an inline submitter handling completions.
func (h *handoff) requeue(ops ...*op) {
	h.mu.Lock()
	h.pending.push(ops...)
	h.mu.Unlock()
}

// add queues o for somebody else to run.
func (h *handoff) add(o *op) signal {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending.push(o)
	return h.call()
}

// call is rule 3. mu is held.
func (h *handoff) call() signal {
	switch {
	case h.running:
		return nothing
	case h.watcher.Load() == watchedByLoop:
		h.running = true
		return wakeWatcher
	case h.watcher.Load() == watchedByLeader:
		h.recalled.Store(true)
		return wakeWatcher
	default:
		return h.start()
	}
}

// start makes the loop the watcher. mu is held.
func (h *handoff) start() signal {
	h.watcher.Store(watchedByLoop)
	h.running = true
	return startLoop
}

// take moves up to len(batch) pending ops into batch, but stops before an op
// that would bring the batch above maxBytes of caller memory.
func (h *handoff) take(batch []*op, maxBytes int) []*op {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pending.take(batch, maxBytes)
}

// firstReader returns whose read is the first that is pending, nil if none is.
func (h *handoff) firstReader() *waiter {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.pending.ops[h.pending.head:] {
		if fd, ok := o.owner.(*FD); ok && o.Kind == engine.Recv {
			return &fd.rd.waiter
		}
	}
	return nil
}

// unwatched reports whether nobody watches.
func (h *handoff) unwatched() bool { return h.watcher.Load() == watchedByNobody }

// isRecalled reports whether the leader shall run what is pending.
func (h *handoff) isRecalled() bool { return h.recalled.Load() }

// hasParked reports whether a call sleeps, beside the leader's.
func (h *handoff) hasParked() bool { return h.parked.Load() > 0 }

// park counts a caller that is about to sleep, if somebody watches: rule 4.
func (h *handoff) park() bool {
	h.parked.Add(1)
	if h.watcher.Load() == watchedByNobody {
		h.parked.Add(-1)
		return false
	}
	return true
}

// retire counts a leader that is about to leave, and to sleep.
func (h *handoff) retire() { h.parked.Add(1) }

// lacksRoom counts a coalescer that waits for room from now on. The caller runs its op,
// and looks who watches afterwards: rule 4.
func (h *handoff) lacksRoom() { h.roomWaiters.Add(1) }

// hasRoom is foundRoom for a watcher, or for whoever makes a watcher look again.
func (h *handoff) hasRoom() { h.roomWaiters.Add(-1) }

// length returns the number of ops pending.
func (h *handoff) length() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pending.len()
}

// hasMore reports whether an inline submitter has more to run: what is pending while the
// loop does not run.
func (h *handoff) hasMore() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.running && h.pending.len() > 0
}

// resume marks the loop as running, before it looks at its first event. An
// inline submitter that is still at work shares the queue with it: each op
// is taken by exactly one of them.
func (h *handoff) resume() {
	h.mu.Lock()
	h.running = true
	h.mu.Unlock()
}

// verdict is what the loop does when it has found neither ops nor events.
type verdict uint8

const (
	goOn  verdict = iota // there is an op after all
	sleep                // until an event or an interrupt
	end                  // there is nothing to watch for
)

// decide says what the loop does next, and marks it so.
func (h *handoff) decide() verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pending.len() > 0 {
		return goOn
	}
	h.running = false
	if h.parked.Load() > 0 || h.roomWaiters.Load() > 0 {
		return sleep
	}
	h.watcher.Store(watchedByNobody) // before the counters are read again: rule 4
	if h.parked.Load() > 0 || h.roomWaiters.Load() > 0 {
		h.watcher.Store(watchedByLoop)
		return sleep
	}
	h.gone()
	return end
}

// stepDown ends the turn of a loop that cannot wait for events, unless there is
// more to run.
func (h *handoff) stepDown() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pending.len() > 0 {
		return false
	}
	h.watcher.Store(watchedByNobody)
	h.running = false
	h.gone()
	return true
}

// lead makes the caller the leader if nobody watches.
func (h *handoff) lead() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watcher.Load() != watchedByNobody {
		return false
	}
	h.recalled.Store(false)
	h.watcher.Store(watchedByLeader)
	return true
}

// stay takes back the leader's recall: it has run what was pending, or is about to.
func (h *handoff) stay() {
	h.mu.Lock()
	h.recalled.Store(false)
	h.mu.Unlock()
}

// leave ends the leader's turn. others says that it was not the only call to wait: then
// the loop is started in any case, for what those calls do next makes a batch.
func (h *handoff) leave(others bool) signal {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watcher.Store(watchedByNobody) // before the counters are read: rule 4
	if others && !h.closing {
		return h.start()
	}
	if s := h.look(); s != nothing {
		return s
	}
	h.gone()
	return nothing
}

// ensure is for whoever may have left a call or a coalescer waiting without a watcher.
func (h *handoff) ensure() signal {
	if h.watcher.Load() != watchedByNobody || h.parked.Load() == 0 && h.roomWaiters.Load() == 0 {
		return nothing
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.look()
}

// look starts the loop if nobody watches and there is a reason to. mu is held.
func (h *handoff) look() signal {
	if h.watcher.Load() != watchedByNobody || h.pending.len() == 0 && h.parked.Load() == 0 && h.roomWaiters.Load() == 0 {
		return nothing
	}
	return h.start()
}

// woken is called for each parked caller that was woken: rule 6. It returns nothing or
// wakeWatcher.
func (h *handoff) woken() signal {
	if h.parked.Add(-1) > 0 {
		return nothing
	}
	return h.idle()
}

// foundRoom says that a coalescer waits for room no longer.
func (h *handoff) foundRoom() signal {
	if h.roomWaiters.Add(-1) > 0 {
		return nothing
	}
	return h.idle()
}

// idle has a loop end that sleeps and has nothing to watch for.
func (h *handoff) idle() signal {
	h.mu.Lock() // decide stores watchedByNobody for a moment, so a look without it would tell nothing
	defer h.mu.Unlock()
	if h.watcher.Load() != watchedByLoop || h.running || h.parked.Load() > 0 || h.roomWaiters.Load() > 0 {
		return nothing
	}
	h.running = true
	return wakeWatcher
}

// waiting returns how many calls sleep, the leader's included.
func (h *handoff) waiting() int {
	n := int(h.parked.Load())
	if h.watcher.Load() == watchedByLeader {
		n++
	}
	return n
}

// close has nobody watch any more, and reports whether there is a watcher. If so, the
// caller interrupts it and waits until it has left. Calls may still be parked, or about to
// be, whose ends are decided but who have not been woken yet.
func (h *handoff) close() (watched bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watcher.Load() == watchedByNobody {
		h.watcher.Store(watchedNoMore)
		return false
	}
	h.closing = true
	if h.watcher.Load() == watchedByLoop {
		h.running = true
	}
	return true
}

// gone says that a watcher touches the reactor no more. mu is held.
func (h *handoff) gone() {
	if !h.closing {
		return
	}
	h.watcher.Store(watchedNoMore)
	h.left.give()
}

// opQueue is first in, first out.
type opQueue struct {
	ops  []*op // ops[head:] are in the queue
	head int
}

func (q *opQueue) len() int { return len(q.ops) - q.head }

func (q *opQueue) push(ops ...*op) {
	// Reuse the room of what was taken. Otherwise a queue that never runs empty only grows.
	if q.head > 0 && len(q.ops)+len(ops) > cap(q.ops) && q.head >= q.len() {
		n := copy(q.ops, q.ops[q.head:])
		clear(q.ops[n:])
		q.ops, q.head = q.ops[:n], 0
	}
	q.ops = append(q.ops, ops...)
}

func (q *opQueue) take(batch []*op, maxBytes int) []*op {
	n, bytes := 0, 0
	for n < len(batch) && q.head < len(q.ops) {
		o := q.ops[q.head]
		bytes += len(o.Buf)
		if n > 0 && bytes > maxBytes {
			break
		}
		q.ops[q.head] = nil
		q.head++
		batch[n] = o
		n++
	}
	if q.head == len(q.ops) {
		q.ops, q.head = q.ops[:0], 0
	}
	return batch[:n]
}
