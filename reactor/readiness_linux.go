package reactor

import (
	"errors"
	"os"
	"runtime"
	"sync"
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
	Close() error
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
	open    int       // descriptors entered and not gone
	empty   sync.Cond // signalled when open reaches 0
	closed  bool
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
	t.open++
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
	if t.open--; t.open == 0 {
		t.empty.Broadcast()
	}
}

// awaitEmpty waits until every descriptor is closed.
func (t *slotTable) awaitEmpty() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.open > 0 {
		t.empty.Wait()
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

// atMost reports whether no more than n slots were ever in use at once.
func (t *slotTable) atMost(n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.slots) <= n
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

// wait parks the reactor until there are events or until kick is called, unless
// ops are pending. It returns the number of events in r.events. On return the
// reactor is running.
func (r *Reactor) wait() int {
	r.found, r.slept = 0, false
	err := r.epConn.Read(r.look)
	if r.slept {
		monitor.keep()
		r.wake()
	}
	r.clearKick(err)
	return r.found
}

// clearKick looks at how a wait on the epoll descriptor ended. If it was a kick,
// it makes the next wait possible; a kick that comes afterwards ends that one.
func (r *Reactor) clearKick(err error) {
	if err == nil {
		return
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		panic("reactor: waiting on the epoll descriptor: " + err.Error())
	}
	if err := r.epFile.SetReadDeadline(time.Time{}); err != nil {
		panic("reactor: clearing the wake-up: " + err.Error())
	}
}

// lookOrPark is what wait runs each time the netpoller sees the epoll descriptor
// become readable, and once before. It reports whether the wait is over. The
// netpoller's flag was cleared just before; whatever comes after this look sets
// it.
func (r *Reactor) lookOrPark(uintptr) (over bool) {
	if r.found = r.collect(maxEvents); r.found > 0 || r.slept {
		return r.found > 0
	}
	if !r.park() {
		return true
	}
	r.slept = true
	r.n.parks.Add(1)
	return false
}

// kick makes a watcher run that sleeps or is about to. It costs no system call: a
// deadline in the past makes the netpoller release the goroutine.
func (r *Reactor) kick() {
	if err := r.epFile.SetReadDeadline(time.Unix(1, 0)); err != nil {
		panic("reactor: wake-up: " + err.Error())
	}
}

// yield lets every runnable goroutine go first. runtime.Gosched queues behind
// all of them, on the global queue; a local yield would starve connections.
func yield() { runtime.Gosched() }
