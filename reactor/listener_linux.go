package reactor

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor/engine"
)

// acceptGrace is how long connections that were accepted, but not asked for
// yet, outlive their listener's Close.
const acceptGrace = 250 * time.Millisecond

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
	addrs     [maxAccepts]engine.RawSockaddr
	size      int   // ops in a batch, or what the next one is if the backlog is unknown
	left      int   // ops of the batch that are not completed
	got       int   // connections it brought
	retry     bool  // one of its ops has to be repeated
	uncounted bool  // the kernel does not say how many there are
	err       error // to be returned by the next Accept that finds no connection
	pending   engine.Backlog

	queue []Accepted // accepted and not asked for
}

// Accepted is a connection taken from a listener's backlog.
type Accepted struct {
	Sysfd int // non-blocking, close-on-exec; belongs to the receiver
	Peer  engine.SockAddr
}

// NewListener puts the listening, non-blocking socket sysfd on the reactor. On
// success the Listener owns the descriptor; on failure the caller still does.
func (r *Reactor) NewListener(sysfd int) (*Listener, error) {
	l := &Listener{size: 1}
	l.descriptor.init(r, sysfd)
	l.waiter.alarm.owner = l
	for i := range l.ops {
		l.ops[i].init(l, engine.Accept, sysfd)
		l.ops[i].Addr = &l.addrs[i]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.enter(l); err != nil {
		return nil, err
	}
	if err := l.register(unix.EPOLLIN); err != nil {
		l.closing = true
		r.poll.slots.leave(l.id)
		r.poll.slots.gone()
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
		n := l.startBatch(&ops)
		if n == 0 {
			l.wait(l.r, callWaiting)
		}
		l.mu.Unlock()
		if n > 0 {
			l.r.runInline(ops[:n]...) // what is there should not wait for the loop's turn
		}
		l.r.await(&l.waiter)
		l.mu.Lock()
		l.rechecks()
	}
}

// Ahead returns the number of connections that were accepted and not asked for.
func (l *Listener) Ahead() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// next takes the oldest connection from the queue. l.mu is held.
func (l *Listener) next() Accepted {
	a := l.queue[0]
	n := copy(l.queue, l.queue[1:])
	l.queue = l.queue[:n]
	return a
}

// startBatch makes a batch of accepts and returns its size, 0 if there is nothing to
// accept. Then the state is what it was, else queued. l.mu is held.
func (l *Listener) startBatch(ops *[maxAccepts]*op) int {
	if !l.ready {
		return 0
	}
	switch n := l.backlog(); {
	case n == 0:
		l.assumeReady(false) // the next connection causes an event
		return 0
	case n > 0:
		l.size = min(n, maxAccepts)
	}
	if l.shared {
		// Whoever has a duplicate may have made the socket blocking, as os.File.Fd
		// does; an accept must not block. An error would show in the accept, too.
		_ = unix.SetNonblock(int(l.sysfd), true)
	}
	if l.state != callQueued { // with a batch that is over
		l.state.move(callQueued)
	}
	l.left, l.got = l.size, 0
	l.hold(l.size)
	for i := range l.size {
		o := &l.ops[i]
		o.Done, o.epoch = false, l.epoch
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
	n, known, errno := l.pending.Ask(l.sysfd)
	if errno != 0 { // a unix socket has no such option
		l.uncounted = true
	}
	if !known {
		// The listener is uncounted, or does not listen any more, which accept(2) has an
		// error for.
		return -1
	}
	return n
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

// recheck implements eventHandler.
func (l *Listener) recheck() {
	l.mu.Lock()
	waits := l.waiter.recheck()
	l.mu.Unlock()
	if waits {
		l.r.notify(&l.waiter)
	}
}

// prepare implements opOwner; an accept needs no preparation.
func (l *Listener) prepare(*op) {}

// complete implements opOwner. An op that has to be run again is queued with a batch of
// its own, so no answer is opAgain.
func (l *Listener) complete(o *op) outcome {
	var ops [maxAccepts]*op
	n, over := l.completed(o, &ops)
	switch {
	case over:
		l.r.notify(&l.waiter) // Accept looks at what there is
		return opOver
	case n > 0:
		l.r.requeue(ops[:n]...)
	}
	return opWaits
}

// completed handles an answer. over says that it ends Accept's wait. If not, ops has the
// next batch of n ops.
func (l *Listener) completed(o *op, ops *[maxAccepts]*op) (n int, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted(o)
	l.unhold(1)
	l.left--
	if l.left > 0 {
		return 0, false
	}
	if l.got == l.size {
		l.size = min(2*l.size, maxAccepts)
	} else {
		l.size = max(l.got, 1)
	}
	if l.retry {
		l.assumeReady(true)
		l.retry = false
	}
	if len(l.queue) > 0 || l.err != nil || l.closing || l.expired() {
		l.state.move(callIdle)
		return 0, true
	}
	if n = l.startBatch(ops); n == 0 {
		l.wait(l.r, callWaiting)
	}
	return n, false
}

// accepted handles the answer to one accept. l.mu is held.
func (l *Listener) accepted(o *op) {
	switch errno := o.Errno(); errno {
	case 0:
		l.queue = append(l.queue, Accepted{Sysfd: int(o.Result), Peer: o.Addr.Decode()})
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

// alarmed implements eventHandler.
func (l *Listener) alarmed(w *waiter) {
	l.mu.Lock()
	wake := w.alarmed(l.r)
	l.mu.Unlock()
	if wake {
		l.r.notify(w)
	}
}

// Close wakes a waiting Accept with ErrClosed and closes the socket. It returns
// when its address is free again. A second Close returns ErrClosed.
func (l *Listener) Close() error {
	l.mu.Lock()
	first := l.startClose()
	wake := first && l.interrupt(l.r)
	l.mu.Unlock()
	if !first {
		return ErrClosed
	}
	if wake {
		l.r.notify(&l.waiter)
	}
	l.awaitQuiet(nil)
	err := l.finishClose()
	switch {
	case l.Leftover() == 0:
	case inBubble(): // whose timers end with it
		l.discard()
	default:
		l.r.leftovers.add(l)
	}
	l.r.poll.slots.gone()
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
	l.mu.Lock()
	queue := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, a := range queue {
		// Nobody is left to be told of an error, and there is nothing to do about it.
		_ = unix.Close(a.Sysfd)
	}
}

// leftovers are a reactor's closed listeners with connections that nobody has asked for
// yet. All methods may be called concurrently.
type leftovers struct {
	mu     sync.Mutex
	timers map[*Listener]*time.Timer
}

// add has l's connections closed after acceptGrace.
func (s *leftovers) add(l *Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timers == nil {
		s.timers = make(map[*Listener]*time.Timer)
	}
	s.timers[l] = time.AfterFunc(acceptGrace, func() {
		s.mu.Lock()
		delete(s.timers, l)
		s.mu.Unlock()
		l.discard()
	})
}

// discard closes the connections of all of them now.
func (s *leftovers) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l, timer := range s.timers {
		timer.Stop()
		l.discard()
	}
	clear(s.timers)
}
