package reactor

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxAccepts is the most connections one batch takes from the backlog.
	maxAccepts = 16

	// acceptGrace is how long connections that were accepted, but not asked for
	// yet, outlive their listener's Close.
	acceptGrace = 250 * time.Millisecond
)

// Listener is a listening stream socket on a Reactor. All methods may be called
// concurrently.
//
// Connections are taken from the backlog in batches: as many as there are, where
// the kernel says so, else as many as seems likely. Those that nobody has asked for
// yet wait in a queue. They are still handed out after Close, for acceptGrace; then
// they are closed.
type Listener struct {
	descriptor

	call sync.Mutex // held by the one Accept under way
	waiter

	ops       [maxAccepts]op
	addrs     [maxAccepts]rawSockaddr
	size      int   // ops in a batch, or what the next one is if the backlog is unknown
	left      int   // ops of the batch that are not completed
	got       int   // connections it brought
	retry     bool  // one of its ops has to be repeated
	uncounted bool  // the kernel does not say how many there are
	err       error // to be returned by the next Accept that finds no connection
	info      listenInfo

	queue []Accepted // accepted and not asked for
}

// Accepted is a connection taken from a listener's backlog.
type Accepted struct {
	Sysfd int // non-blocking, close-on-exec; belongs to the receiver
	Peer  SockAddr
}

// NewListener puts the listening, non-blocking socket sysfd on the reactor. On
// success the Listener owns the descriptor; on failure the caller still does.
func (r *Reactor) NewListener(sysfd int) (*Listener, error) {
	l := &Listener{size: 1}
	l.descriptor.init(r, sysfd)
	l.waiter.alarm.owner = l
	for i := range l.ops {
		l.ops[i].init(l, opAccept, sysfd)
		l.ops[i].sa = &l.addrs[i]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := r.enter(&l.descriptor, l); err != nil {
		return nil, err
	}
	if err := l.watch(unix.EPOLLIN); err != nil {
		l.closing = true
		r.slots.leave(l.id)
		r.slots.gone()
		return nil, err
	}
	return l, nil
}

// Accept returns the next connection. Its errors are ErrClosed,
// os.ErrDeadlineExceeded and syscall.Errno.
func (l *Listener) Accept() (Accepted, error) {
	l.call.Lock()
	defer l.call.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case !l.closing && l.expired():
			return Accepted{}, os.ErrDeadlineExceeded
		case len(l.queue) > 0:
			return l.next(), nil
		case l.closing:
			return Accepted{}, ErrClosed
		case l.err != nil:
			err := l.err
			l.err = nil
			return Accepted{}, err
		}
		var ops [maxAccepts]*op
		if l.ready && l.startBatch(&ops) > 0 {
			n := l.size
			l.mu.Unlock()
			l.r.runInline(ops[:n]...) // what is there should not wait for the loop's turn
		} else {
			l.startWaiting(l.r)
			l.mu.Unlock()
		}
		l.r.await(&l.waiter)
		l.mu.Lock()
	}
}

// next takes the oldest connection from the queue. l.mu is held.
func (l *Listener) next() Accepted {
	a := l.queue[0]
	n := copy(l.queue, l.queue[1:])
	l.queue = l.queue[:n]
	return a
}

// startBatch makes a batch of accepts and returns its size. If that is 0, there is
// nothing to accept, and the state is waiting. l.mu is held.
func (l *Listener) startBatch(ops *[maxAccepts]*op) int {
	n := l.backlog()
	if n == 0 {
		// Whoever comes now causes an event.
		l.ready = false
		l.startWaiting(l.r)
		return 0
	}
	if n > 0 {
		l.size = min(n, maxAccepts)
	}
	if l.shared {
		// Whoever has a duplicate may have made the socket blocking, as os.File.Fd
		// does; an accept must not block. An error would show in the accept, too.
		_ = unix.SetNonblock(int(l.sysfd), true)
	}
	l.state = queued
	l.left, l.got = l.size, 0
	l.hold(l.size)
	for i := range l.size {
		o := &l.ops[i]
		o.done, o.epoch = false, l.epoch
		ops[i] = o
	}
	return l.size
}

// backlog returns how many connections there are to accept, or -1 if it does not
// know. To ask is a sixth of the work of trying in vain: before accept(2) looks
// whether there is a connection, it makes a socket and a file for it, and takes them
// apart again if there is none. l.mu is held.
func (l *Listener) backlog() int {
	if l.uncounted {
		return -1
	}
	if errno := sysListenInfo(l.sysfd, &l.info); errno != 0 { // a unix socket has no such option
		l.uncounted = true
		return -1
	}
	if l.info.sacked == 0 {
		// It does not listen any more, which accept(2) has an error for; or this kernel
		// does not fill these fields in for a listener.
		return -1
	}
	return int(l.info.unacked)
}

// event implements eventHandler.
func (l *Listener) event(_ uint32, ops *[maxEventOps]*op) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing || !l.waiter.event() {
		return 0
	}
	return l.startBatch(ops)
}

// nudge implements eventHandler.
func (l *Listener) nudge() {
	l.mu.Lock()
	waits := l.state == waiting
	if waits {
		l.state = idle
	}
	l.mu.Unlock()
	if waits {
		l.r.notify(&l.waiter)
	}
}

// complete implements completer.
func (l *Listener) complete(o *op) (again bool) {
	l.mu.Lock()
	l.accepted(o)
	l.unhold(1)
	l.left--
	if l.left > 0 {
		l.mu.Unlock()
		return false
	}
	if l.got == l.size {
		l.size = min(2*l.size, maxAccepts)
	} else {
		l.size = max(l.got, 1)
	}
	retry := l.retry || l.ready
	l.retry = false
	if over := len(l.queue) > 0 || l.err != nil || l.closing || l.expired(); over {
		l.state = idle
		l.mu.Unlock()
		l.r.notify(&l.waiter) // Accept looks at what there is
		return false
	}
	if !retry {
		l.startWaiting(l.r)
		l.mu.Unlock()
		return false
	}
	var ops [maxAccepts]*op
	n := l.startBatch(&ops) // which may be 0
	l.mu.Unlock()
	l.r.requeue(ops[:n]...)
	return false
}

// accepted handles the answer to one accept. l.mu is held.
func (l *Listener) accepted(o *op) {
	switch errno := o.errno(); errno {
	case 0:
		l.queue = append(l.queue, Accepted{Sysfd: int(o.res), Peer: o.sa.decode()})
		l.got++
	case unix.EAGAIN:
		l.exhausted(o.epoch)
	case unix.EINTR, unix.ECONNABORTED:
		// The connection was gone before it was accepted; package net goes on, too.
		l.retry = true
	default:
		l.err = errno
	}
}

// SetDeadline sets the deadline of Accept to t; the zero time means none.
func (l *Listener) SetDeadline(t time.Time) error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return ErrClosed
	}
	wake := l.setDeadline(l.r, t)
	l.mu.Unlock()
	if wake {
		l.r.notify(&l.waiter)
	}
	return nil
}

// alarm implements eventHandler.
func (l *Listener) alarm(w *waiter) {
	l.mu.Lock()
	wake := w.rung(l.r)
	l.mu.Unlock()
	if wake {
		l.r.notify(w)
	}
}

// Close wakes a parked Accept with ErrClosed and closes the socket. It returns
// when its address is free again. A second Close returns ErrClosed.
func (l *Listener) Close() error {
	l.mu.Lock()
	if !l.startClose() {
		l.mu.Unlock()
		return ErrClosed
	}
	wake := l.interrupt(l.r)
	l.mu.Unlock()
	if wake {
		l.r.notify(&l.waiter)
	}
	l.mu.Lock()
	l.awaitQuiet(nil)
	leftover := len(l.queue) > 0
	l.mu.Unlock()
	err := l.finishClose()
	switch {
	case !leftover:
	case inBubble(): // whose timers end with it
		l.discard()
	default:
		l.r.slots.addOrphan(l, time.AfterFunc(acceptGrace, l.discard))
	}
	l.r.slots.gone()
	return err
}

// abandon implements eventHandler.
func (l *Listener) abandon() {}

// Leftover returns for how long a closed listener still hands out connections: 0
// if it has none.
func (l *Listener) Leftover() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return 0
	}
	return acceptGrace
}

// discard closes the connections that were never asked for.
func (l *Listener) discard() {
	l.r.slots.removeOrphan(l)
	l.mu.Lock()
	queue := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, a := range queue {
		// Nobody is left to be told of an error, and there is nothing to do about it.
		_ = unix.Close(a.Sysfd)
	}
}
