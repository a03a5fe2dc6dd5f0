package reactor

import "sync"

// handoff decides who runs a queued op. The rules:
//
//  1. While the reactor runs (running is true), push only appends. The reactor
//     takes everything pending before it parks.
//  2. park fails while anything is pending. It sets running to false in the same
//     critical section that found the queue empty, so an op is pushed either
//     before, and park fails, or after, and rule 3 applies.
//  3. While the reactor is parked, push makes its caller an inline submitter:
//     it runs its own op, and then whatever it can take, until nothing is
//     pending. Ops queued by completions (the rest of a short write) are thus
//     run by whoever caused them.
//  4. wake sets running to true before the reactor looks at its first event. An
//     inline submitter that is still at work shares the queue with it: each op
//     is taken by exactly one of them.
//
// Readiness has its own half of the protocol, in Reactor.wait: the netpoller's
// flag for the epoll descriptor is cleared, then the descriptor is polled, and
// only then does the reactor sleep. An event before the poll is found by it, one
// after it sets the flag.
//
// handoff_linux_test.go runs every interleaving of these steps.
type handoff struct {
	mu      sync.Mutex
	running bool
	pending []*op // pending[head:] waits to be taken, first in, first out
	head    int
}

// push queues ops, or, if it reports true, leaves them to the caller: the reactor is
// parked, and the caller must run them and then everything take returns. Ops that
// are pending meanwhile belong to an inline submitter that has yet to return
// for them.
func (h *handoff) push(ops ...*op) (inline bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running {
		return true
	}
	h.pending = append(h.pending, ops...)
	return false
}

// requeue queues ops whose runner is already bound to call take again: the
// reactor, or an inline submitter handling completions.
func (h *handoff) requeue(ops ...*op) {
	h.mu.Lock()
	h.pending = append(h.pending, ops...)
	h.mu.Unlock()
}

// add queues o for the reactor, and reports whether that runs: otherwise the
// caller must see to it.
func (h *handoff) add(o *op) (running bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = append(h.pending, o)
	return h.running
}

// take moves up to len(batch) pending ops into batch, but stops before an op
// that would bring the batch above maxBytes of caller memory.
func (h *handoff) take(batch []*op, maxBytes int) []*op {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, bytes := 0, 0
	for n < len(batch) && h.head < len(h.pending) {
		o := h.pending[h.head]
		bytes += len(o.buf)
		if n > 0 && bytes > maxBytes {
			break
		}
		h.pending[h.head] = nil
		h.head++
		batch[n] = o
		n++
	}
	if h.head == len(h.pending) {
		h.pending, h.head = h.pending[:0], 0
	}
	return batch[:n]
}

// park reports whether the reactor may sleep: it may not while ops are pending.
func (h *handoff) park() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.head < len(h.pending) {
		return false
	}
	h.running = false
	return true
}

// wake makes the reactor responsible for everything pushed from now on.
func (h *handoff) wake() {
	h.mu.Lock()
	h.running = true
	h.mu.Unlock()
}

// length returns the number of ops pending.
func (h *handoff) length() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.pending) - h.head
}
