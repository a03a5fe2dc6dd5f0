package reactor

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// slotID names a registration: a slot of the table and the slot's generation,
// so that an event that was under way when its descriptor was closed does not
// reach the next user of the slot.
type slotID struct{ index, gen uint32 }

// data is the id as the 64 bits of epoll_event.data, whose halves x/sys/unix calls Fd
// and Pad.
func (id slotID) data(events uint32) unix.EpollEvent {
	return unix.EpollEvent{Events: events, Fd: int32(id.index), Pad: int32(id.gen)}
}

type slot struct {
	gen     uint32
	handler eventHandler
}

// slotTable maps what epoll reports to the descriptor it concerns. All methods may be
// called concurrently.
type slotTable struct {
	mu      sync.Mutex
	slots   []slot
	free    []uint32
	open    atomic.Int32 // descriptors entered and not gone; changed under mu
	closed  bool
	awaited bool // awaitEmpty waits, and wants empty put when open is 0
	empty   token
}

// enter gives h a slot. Its error is ErrClosed after shut.
func (t *slotTable) enter(h eventHandler) (slotID, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return slotID{}, ErrClosed
	}
	var i uint32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		i = uint32(len(t.slots))
		t.slots = append(t.slots, slot{})
	}
	t.slots[i].handler = h
	t.open.Add(1)
	return slotID{i, t.slots[i].gen}, nil
}

// leave frees the slot. The descriptor still counts as open, until gone is called.
func (t *slotTable) leave(id slotID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.slots[id.index]
	if s.gen != id.gen || s.handler == nil {
		panic("reactor: a slot was left twice")
	}
	s.gen++
	s.handler = nil
	t.free = append(t.free, id.index)
}

// gone says that a descriptor which left its slot is closed, too.
func (t *slotTable) gone() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open.Add(-1) == 0 && t.awaited {
		t.awaited = false
		t.empty.give()
	}
}

// awaitEmpty waits until every descriptor is closed. It is called once, after shut.
func (t *slotTable) awaitEmpty() {
	t.mu.Lock()
	t.awaited = t.open.Load() > 0
	wait := t.awaited
	t.mu.Unlock()
	if wait {
		t.empty.wait()
	}
}

// count returns how many descriptors are open.
func (t *slotTable) count() int { return int(t.open.Load()) }

// lookup stores the handler that each event concerns, nil if the handler has left.
func (t *slotTable) lookup(events []unix.EpollEvent, handlers []eventHandler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range events {
		ev := &events[i]
		handlers[i] = nil
		if s := &t.slots[uint32(ev.Fd)]; s.gen == uint32(ev.Pad) {
			handlers[i] = s.handler
		}
	}
}

// shut refuses new registrations and returns those there are.
func (t *slotTable) shut() (handlers []eventHandler, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first = !t.closed
	t.closed = true
	return t.used(), first
}

// handlers returns what is registered.
func (t *slotTable) handlers() []eventHandler {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.used()
}

// used is handlers with t.mu held.
func (t *slotTable) used() (handlers []eventHandler) {
	for _, s := range t.slots {
		if s.handler != nil {
			handlers = append(handlers, s.handler)
		}
	}
	return handlers
}
