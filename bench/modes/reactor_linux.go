package modes

import (
	"errors"
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

	file *os.File // the ring, if the reactor sleeps in the netpoller
	raw  syscall.RawConn
}

// pendingAnswer is a goroutine's wish to answer a request.
type pendingAnswer struct {
	c   *conn
	bid int // the buffer that held the request
}

func newReactor(m *ringMode, listener int) *reactor {
	r := &reactor{server: newServer(m, listener), wake: anonymous(8)}
	r.deliver, r.opened, r.closed, r.woken = r.handOver, r.start, func(c *conn) { close(c.requests) }, r.queueWake
	var err error
	if m.netpoll { // a ring polls readable while it has completions
		fd, err := unix.FcntlInt(uintptr(r.ring.fd), unix.F_DUPFD_CLOEXEC, 0)
		check("fcntl", err)
		check("fcntl", unix.SetNonblock(fd, true)) // asks os.NewFile to use the netpoller
		r.file = os.NewFile(uintptr(fd), "io_uring")
		r.raw, err = r.file.SyscallConn()
		check("io_uring", err)
		return r
	}
	r.eventfd, err = unix.Eventfd(0, unix.EFD_CLOEXEC)
	check("eventfd", err)
	r.queueWake()
	return r
}

// queueWake queues the read that somebody else's write to the eventfd completes.
func (r *reactor) queueWake() {
	r.ring.op(iouring.IORING_OP_READ, int32(r.eventfd), r.wake, userData(kindWake, 0))
}

// run serves.
func (r *reactor) run() {
	for {
		if r.delivered {
			// What the goroutines answer now makes the next submission.
			r.delivered = false
			runtime.Gosched()
		}
		r.takeAnswers()
		r.wait()
		r.ring.reap(r.complete)
	}
}

// wait submits what is queued and waits for a completion or an answer.
func (r *reactor) wait() {
	r.asleep.Store(true)
	// An answer queued before the store is seen here; one queued after it wakes.
	r.mu.Lock()
	sleep := len(r.queue) == 0
	r.mu.Unlock()
	if !sleep {
		r.asleep.Store(false)
	}
	switch {
	case r.file != nil:
		r.ring.enter(0, iouring.IORING_ENTER_FLAGS_GETEVENTS)
		if !sleep {
			break
		}
		err := r.raw.Read(func(uintptr) bool { return r.ring.ready() })
		if errors.Is(err, os.ErrDeadlineExceeded) { // woken
			err = r.file.SetReadDeadline(time.Time{})
		}
		check("io_uring", err)
	case sleep:
		r.ring.enter(1, 0)
	default:
		r.ring.enter(0, 0)
	}
	r.asleep.Store(false)
}

// submitAnswer is called by a connection's goroutine.
func (r *reactor) submitAnswer(a pendingAnswer) {
	r.mu.Lock()
	r.queue = append(r.queue, a)
	r.mu.Unlock()
	if !r.asleep.Swap(false) {
		return
	}
	if r.file != nil {
		check("io_uring", r.file.SetReadDeadline(time.Unix(1, 0)))
		return
	}
	_, err := unix.Write(r.eventfd, []byte{7: 1}) // not 0, in either byte order
	check("write to the eventfd", err)
}

// takeAnswers queues the operations of all answers there are.
func (r *reactor) takeAnswers() {
	r.mu.Lock()
	r.queue, r.taken = r.taken[:0], r.queue
	r.mu.Unlock()
	for _, a := range r.taken {
		r.recycle(a.bid)
		r.respond(a.c)
	}
}

// maxUnanswered bounds the requests that a peer may send ahead: with IOSQE_ASYNC, it
// can have an answer before the server knows that it was sent.
const maxUnanswered = 16

// handOver is deliver: it gives a request to the connection's goroutine.
func (r *reactor) handOver(c *conn, bid int) {
	if c.closing || c.busy == maxUnanswered {
		r.recycle(bid)
		r.hangUp(c)
		return
	}
	c.busy++
	c.requests <- bid // never blocks: there is room for maxUnanswered
	r.delivered = true
}

// start starts the connection's goroutine. The place of the connection is not used again
// before it has answered everything, as busy counts that.
func (r *reactor) start(c *conn) {
	requests, answered := make(chan int, maxUnanswered), make(chan int32, 1)
	c.requests, c.answered = requests, answered
	go func() {
		for bid := range requests {
			r.submitAnswer(pendingAnswer{c, bid})
			<-answered // an error shows in the receive, too, which ends the connection
		}
	}()
}
