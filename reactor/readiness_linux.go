package reactor

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// maxEventOps is the most ops that one readiness event can set off.
const maxEventOps = maxAccepts

const (
	// maxEvents is how many events one look at the epoll descriptor collects, and
	// the number of pending ops from which on the reactor does not look for more:
	// what has been received should be answered while it is in the processor's
	// cache. HTTP with 1024 connections on one core, by the number: 128, whatever was
	// pending, 0.94-0.95 times net; 64 1.12-1.13, 32 1.17-1.21, 16 1.16. With 256
	// connections 1.25, 1.28, 1.27 and 1.17; with 64 and fewer it made no difference,
	// but for 16.
	maxEvents = 32

	// maxUnlooked is how many batches in a row the reactor runs without looking at
	// epoll. Else connections that write all the time would keep others from being
	// read.
	maxUnlooked = 3

	// minLook is how many events a look collects however many ops are pending.
	minLook = 16
)

// eventHandler is told of a descriptor's readiness. It stores the ops that can
// go on now in ops and returns their number.
type eventHandler interface {
	event(events uint32, ops *[maxEventOps]*op) int
	// nudge has every call that waits for readiness look again.
	nudge()
	// alarm is called when the alarm of one of its waiters has gone off.
	alarm(*waiter)
	Close() error
	// closeMayWait reports whether Close may take long.
	closeMayWait() bool
	// abandon ends what a Close still waits for in the background.
	abandon()
}

// slotID names a registration: a slot of the table and the slot's generation,
// so that an event that was under way when its descriptor was closed does not
// reach the next user of the slot.
type slotID struct{ index, gen uint32 }

type slot struct {
	gen     uint32
	handler eventHandler
}

// slotTable maps what epoll reports to who it concerns.
type slotTable struct {
	mu      sync.Mutex
	slots   []slot
	free    []uint32
	open    atomic.Int32 // descriptors entered and not gone; changed under mu
	closed  bool
	awaited bool // awaitEmpty waits, and wants empty put when open is 0
	empty   token
	orphans map[*Listener]*time.Timer // closed, with connections nobody asked for
}

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
		if s := t.empty.put(); !s.none() {
			s.ready()
		}
	}
}

// awaitEmpty waits until every descriptor is closed. No new ones are let in.
func (t *slotTable) awaitEmpty() {
	t.mu.Lock()
	t.awaited = t.open.Load() > 0
	wait := t.awaited
	t.mu.Unlock()
	if wait {
		t.empty.wait()
	}
}

// addOrphan notes a closed listener that timer will discard.
func (t *slotTable) addOrphan(l *Listener, timer *time.Timer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.orphans == nil {
		t.orphans = make(map[*Listener]*time.Timer)
	}
	t.orphans[l] = timer
}

func (t *slotTable) removeOrphan(l *Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.orphans, l)
}

// takeOrphans returns the closed listeners whose time is not up yet.
func (t *slotTable) takeOrphans() (ls []*Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l, timer := range t.orphans {
		timer.Stop()
		ls = append(ls, l)
	}
	return ls
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

// enter gives h, whose descriptor d is, a slot. From here on, the reactor's Close
// may close h; d.mu, which is held, makes it wait.
func (r *Reactor) enter(d *descriptor, h eventHandler) (err error) {
	d.id, err = r.slots.enter(h)
	d.closing = err != nil
	return err
}

// watch has the reactor told of the descriptor's events, if it is not yet. The
// first to come, at once, says what the socket is ready for by then. d.mu is held,
// and d has a slot.
func (d *descriptor) watch(events uint32) error {
	if d.watched {
		return nil
	}
	// The 64 bits of epoll_event.data, as x/sys/unix names their halves.
	ev := unix.EpollEvent{Events: events | unix.EPOLLET, Fd: int32(d.id.index), Pad: int32(d.id.gen)}
	if err := unix.EpollCtl(d.r.epfd, unix.EPOLL_CTL_ADD, int(d.sysfd), &ev); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	d.watched = true
	return nil
}

// newEpoll returns an epoll descriptor and the os.File through which Go's
// netpoller waits on it. An epoll descriptor polls readable while it has events
// to report (epoll(7)), so it can itself be in the netpoller's epoll set, and a
// reactor that waits is a parked goroutine, not a blocked thread.
func newEpoll() (epfd int, f *os.File, err error) {
	epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return 0, nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(epfd, true); err != nil { // asks os.NewFile to use the netpoller
		return 0, nil, errjoin.Join(os.NewSyscallError("fcntl", err), unix.Close(epfd))
	}
	f = os.NewFile(uintptr(epfd), "netring-epoll")
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		return 0, nil, errjoin.Join(err, f.Close())
	}
	return epfd, f, nil
}

// collect looks for up to limit readiness events, without waiting, and returns how
// many it stored in r.events.
func (r *Reactor) collect(limit int) int {
	n, errno := sysEpollPoll(r.epfd, r.events[:limit])
	if errno != 0 {
		panic("reactor: epoll_pwait: " + errno.Error()) // the descriptor is ours and valid
	}
	r.n.polls.Add(1)
	return n
}

// maxNudges bounds the descriptors that are looked through for a call that can lead.
const maxNudges = 256

// dispatch hands the first n of r.events to their descriptors and queues the
// ops they set off.
func (r *Reactor) dispatch(n int) {
	if n == 0 {
		return
	}
	r.n.events.Add(uint64(n))
	r.slots.mu.Lock()
	for i := range r.events[:n] {
		ev := &r.events[i]
		r.handlers[i] = nil
		if s := &r.slots.slots[uint32(ev.Fd)]; s.gen == uint32(ev.Pad) {
			r.handlers[i] = s.handler
		}
	}
	r.slots.mu.Unlock()
	ready := r.ready[:0]
	for i := range n {
		if h := r.handlers[i]; h != nil {
			k := h.event(r.events[i].Events, &r.eventOps)
			ready = append(ready, r.eventOps[:k]...)
			r.handlers[i] = nil
		}
	}
	clear(r.eventOps[:])
	r.requeue(ready...)
	clear(ready)
	r.ready = ready[:0]
}

// loopWait is how the loop waits. It is not the reactor's, which may have another
// watcher as soon as the verdict is that the loop ends.
type loopWait struct {
	r       *Reactor
	verdict verdict
	look    func(uintptr) (over bool)
}

func newLoopWait(r *Reactor) *loopWait {
	w := &loopWait{r: r}
	w.look = w.lookOrRest
	return w
}

// forEvents parks the loop until there are events or until it is kicked, unless ops
// are pending, and handles the events. It reports whether the loop still watches. On
// return it is running, or has ended.
func (w *loopWait) forEvents() (watching bool) {
	r := w.r
	w.verdict, r.found = goOn, 0
	err := r.epConn.Read(w.look)
	switch w.verdict {
	case end:
		return false
	case sleep:
		monitor.keep()
		r.wake()
	}
	r.alarms.waited(err)
	r.dispatch(r.found)
	return true
}

// lookOrRest is what the wait runs each time the netpoller sees the epoll descriptor
// become readable, and once before. It reports whether the wait is over. The
// netpoller's flag was cleared just before; whatever comes after this look sets it.
func (w *loopWait) lookOrRest(uintptr) (over bool) {
	r := w.r
	if r.found = r.collect(maxEvents); r.found > 0 || w.verdict == sleep {
		return r.found > 0
	}
	if w.verdict = r.rest(r.slots.open.Load() <= maxNudges); w.verdict == sleep {
		r.n.parks.Add(1)
	}
	return w.verdict != sleep
}

// yield lets every runnable goroutine go first. runtime.Gosched queues behind
// all of them, on the global queue; a local yield would starve connections.
func yield() { runtime.Gosched() }
