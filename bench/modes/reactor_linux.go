package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"
)

// reactor is a server whose connections each have a goroutine.
//
// Between the goroutines and the reactor is a queue of answers. A goroutine that
// finds the reactor asleep wakes it: through an eventfd that the ring reads, or,
// if the reactor sleeps in Go's netpoller, by a deadline.
type reactor struct {
	*server
	delivered bool // since the last yield

	mu      sync.Mutex
	queue   []pendingAnswer
	taken   []pendingAnswer // the reactor's; they swap
	asleep  atomic.Bool
	eventfd int
	wake    []byte // what the ring reads from it

	file *os.File // netpoll: the ring
	raw  syscall.RawConn
}

// pendingAnswer is a goroutine's wish to answer a request.
type pendingAnswer struct {
	c   *conn
	bid int // the buffer that held the request
}

func newReactor(m *ringMode, listener int) (*reactor, error) {
	s, err := newServer(m, listener)
	if err != nil {
		return nil, err
	}
	r := &reactor{server: s}
	s.deliver, s.opened, s.closed, s.woken = r.handOver, r.open, r.hungUp, r.queueWake
	if m.netpoll {
		return r, r.pollable()
	}
	if r.wake, err = anonymous(8); err != nil {
		return nil, err
	}
	if r.eventfd, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return r, r.queueWake()
}

// queueWake queues the read that somebody else's write to the eventfd completes.
func (r *reactor) queueWake() error {
	e, err := r.ring.next()
	if err != nil {
		return err
	}
	e.PrepOperation(iouring.IORING_OP_READ, int32(r.eventfd), address(r.wake), uint32(len(r.wake)), 0)
	e.SetUserData(userData(kindWake, 0))
	return nil
}

// run serves until something is wrong.
func (r *reactor) run() error {
	for {
		if r.delivered {
			// What the goroutines answer now makes the next submission.
			r.delivered = false
			runtime.Gosched()
		}
		if err := r.takeAnswers(); err != nil {
			return err
		}
		if err := r.wait(); err != nil {
			return err
		}
		if _, err := r.ring.reap(r.complete); err != nil {
			return err
		}
	}
}

// wait submits what is queued and waits for a completion or an answer.
func (r *reactor) wait() error {
	r.asleep.Store(true)
	// An answer queued before the store is seen here; one queued after it wakes.
	wait := uint32(1)
	if r.answersPending() {
		r.asleep.Store(false)
		wait = 0
	}
	var err error
	if r.file != nil {
		err = r.netpollWait(wait > 0)
	} else {
		err = r.ring.enter(wait, 0)
	}
	r.asleep.Store(false)
	return err
}

// pollable makes the ring known to Go's netpoller. A ring polls readable while it
// has completions.
func (r *reactor) pollable() error {
	fd, err := unix.FcntlInt(uintptr(r.ring.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // asks os.NewFile to use the netpoller
		return os.NewSyscallError("fcntl", err)
	}
	r.file = os.NewFile(uintptr(fd), "io_uring")
	r.raw, err = r.file.SyscallConn()
	return err
}

func (r *reactor) netpollWait(sleep bool) error {
	if err := r.ring.enter(0, iouring.IORING_ENTER_FLAGS_GETEVENTS); err != nil || !sleep {
		return err
	}
	err := r.raw.Read(func(uintptr) bool { return r.ring.ready() })
	if errors.Is(err, os.ErrDeadlineExceeded) { // woken
		return r.file.SetReadDeadline(time.Time{})
	}
	return err
}

// submitAnswer is called by a connection's goroutine.
func (r *reactor) submitAnswer(a pendingAnswer) error {
	r.mu.Lock()
	r.queue = append(r.queue, a)
	r.mu.Unlock()
	if !r.asleep.Swap(false) {
		return nil
	}
	if r.file != nil {
		return r.file.SetReadDeadline(time.Unix(1, 0))
	}
	one := [8]byte{1}
	if _, err := unix.Write(r.eventfd, one[:]); err != nil {
		return os.NewSyscallError("write to the eventfd", err)
	}
	return nil
}

func (r *reactor) answersPending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue) > 0
}

// takeAnswers queues the operations of all answers there are.
func (r *reactor) takeAnswers() error {
	r.mu.Lock()
	r.queue, r.taken = r.taken[:0], r.queue
	r.mu.Unlock()
	for _, a := range r.taken {
		if err := errors.Join(r.bufs.recycle(r.ring, a.bid), r.answer(a.c)); err != nil {
			return err
		}
	}
	return nil
}

// maxUnanswered bounds the requests that a peer may send ahead.
const maxUnanswered = 16

// handOver is deliver: it gives a request to the connection's goroutine.
func (r *reactor) handOver(c *conn, q request) error {
	if c.closing || c.busy == maxUnanswered {
		return errors.Join(r.bufs.recycle(r.ring, q.bid), r.hangUp(c))
	}
	c.busy++
	c.requests <- q // never blocks: there is room for maxUnanswered
	r.delivered = true
	return nil
}

func (r *reactor) open(c *conn) {
	c.requests = make(chan request, maxUnanswered)
	c.answered = make(chan int32, 1)
	go r.serveConn(c, c.requests, c.answered)
}

func (r *reactor) hungUp(c *conn) { close(c.requests) }

// serveConn is a connection's goroutine. The place of the connection is not used
// again before it has answered everything, as busy counts that.
func (r *reactor) serveConn(c *conn, requests <-chan request, answered <-chan int32) {
	for q := range requests {
		if err := r.submitAnswer(pendingAnswer{c, q.bid}); err != nil {
			fatal(fmt.Errorf("wake the reactor: %w", err))
		}
		<-answered // an error shows in the receive, too, which ends the connection
	}
}
