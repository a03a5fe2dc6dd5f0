package reactor

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor/engine"
)

// maxEventOps is the most ops that one readiness event can set off.
const maxEventOps = maxAccepts

// eventHandler is a descriptor, as its reactor sees it.
type eventHandler interface {
	// event is told of readiness events. It stores the ops that can go on now in ops
	// and returns their number.
	event(events uint32, ops *[maxEventOps]*op) int
	// recheck has every call that waits for readiness look again who watches.
	recheck()
	// alarmed is called when the alarm of one of its waiters has gone off.
	alarmed(*waiter)
	Close() error
	// closeMayWait reports whether Close may take long.
	closeMayWait() bool
	// abandon ends what a Close still waits for in the background.
	abandon()
}

// pollSet is the epoll descriptor with the table of what is registered there.
//
// An epoll descriptor polls readable while it has events to report (epoll(7)). So it can
// itself be in the epoll set of Go's netpoller, and a reactor that waits is a parked
// goroutine, not a blocked thread.
type pollSet struct {
	slots slotTable

	epfd int
	file *os.File // epfd, known to the netpoller
	conn syscall.RawConn

	// Of the watcher, who alone may wait, collect and dispatch.
	events   [maxEvents]unix.EpollEvent
	handlers [maxEvents]eventHandler
	found    int // events in events
	eventOps [maxEventOps]*op
	ready    []*op

	polls, reported atomic.Uint64
}

func (p *pollSet) open() (err error) {
	p.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(p.epfd, true); err != nil { // asks os.NewFile to use the netpoller
		return errjoin.Join(os.NewSyscallError("fcntl", err), unix.Close(p.epfd))
	}
	p.file = os.NewFile(uintptr(p.epfd), "netring-epoll")
	if err = p.file.SetReadDeadline(time.Time{}); err == nil {
		p.conn, err = p.file.SyscallConn()
	}
	if err != nil {
		return errjoin.Join(err, p.file.Close())
	}
	return nil
}

func (p *pollSet) close() error { return p.file.Close() }

// register has the set report a socket's events, edge-triggered, under the id. The first
// report, at once, says what the socket is ready for by then.
func (p *pollSet) register(sysfd int32, events uint32, id slotID) error {
	ev := id.data(events | unix.EPOLLET)
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.epfd, unix.EPOLL_CTL_ADD, int(sysfd), &ev))
}

// unregister ends that. Closing a socket does, too, unless it has been duplicated.
func (p *pollSet) unregister(sysfd int32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.epfd, unix.EPOLL_CTL_DEL, int(sysfd), nil))
}

// wait calls look, which is to collect, once, and again each time the netpoller sees the
// epoll descriptor become readable, until look reports true. The netpoller's flag is
// cleared before each call, so whatever comes after it sets the flag. The error says
// that the file's deadline has passed, see alarms.
func (p *pollSet) wait(look func(uintptr) (over bool)) error {
	p.found = 0
	return p.conn.Read(look)
}

// collect looks for up to limit readiness events, without waiting, and returns how
// many it has found, for dispatch.
func (p *pollSet) collect(limit int) int {
	n, errno := engine.EpollPoll(p.epfd, p.events[:limit])
	if errno != 0 {
		panic("reactor: epoll_pwait: " + errno.Error()) // the descriptor is ours and valid
	}
	p.polls.Add(1)
	p.found = n
	return n
}

// dispatch hands the events that collect has found to their descriptors and returns the
// ops they set off. done must be called when those are queued.
func (p *pollSet) dispatch() (ready []*op) {
	n := p.found
	p.reported.Add(uint64(n))
	p.slots.lookup(p.events[:n], p.handlers[:n])
	ready = p.ready[:0]
	for i, h := range p.handlers[:n] {
		if h != nil {
			k := h.event(p.events[i].Events, &p.eventOps)
			ready = append(ready, p.eventOps[:k]...)
		}
	}
	clear(p.handlers[:n])
	clear(p.eventOps[:])
	p.found = 0
	return ready
}

// dispatched takes back the memory of dispatch's result.
func (p *pollSet) dispatched(ready []*op) {
	clear(ready)
	p.ready = ready[:0]
}
