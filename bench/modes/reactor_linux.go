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

// reactor is a server with a goroutine for each connection. The goroutines queue answers. One
// that finds the reactor asleep wakes it: through an eventfd that the ring reads, or through a
// deadline if the reactor sleeps in Go's netpoller.
type reactor struct {
	*server
	delivered bool // requests, since the last yield

	mu      sync.Mutex
	queue   []pendingAnswer
	taken   []pendingAnswer // belongs to the reactor, which swaps it with queue
	asleep  atomic.Bool
	eventfd int
	wake    []byte // the ring's buffer for the eventfd

	file *os.File // the ring, if the reactor sleeps in the netpoller
	raw  syscall.RawConn
}

// pendingAnswer is an answer that the reactor has to send.
type pendingAnswer struct {
	c   *conn
	bid int // the buffer that held the request
}

func newReactor(m *ringMode, listener int) *reactor {
	r := &reactor{server: newServer(m, listener), wake: anonymous(8)}
	r.deliver, r.opened, r.closed, r.woken = r.handOver, r.start, func(c *conn) { close(c.requests) }, r.queueWake
	var err error
	if m.netpoll { // a ring is readable while it has completions
		fd, err := unix.FcntlInt(uintptr(r.ring.fd), unix.F_DUPFD_CLOEXEC, 0)
		check("fcntl", err)
		check("fcntl", unix.SetNonblock(fd, true)) // makes os.NewFile use the netpoller
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

// queueWake queues a read of the eventfd. A write by submitAnswer completes it.
func (r *reactor) queueWake() {
	r.ring.op(iouring.IORING_OP_READ, int32(r.eventfd), r.wake, userData(kindWake, 0))
}

func (r *reactor) run() {
	for {
		if r.delivered {
			// The goroutines' answers now go into one submission.
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
	// submitAnswer sees the store. Otherwise its answer is in the queue here.
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

// submitAnswer queues an answer. Connections' goroutines call it.
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
	_, err := unix.Write(r.eventfd, []byte{7: 1}) // a number other than 0, in either byte order
	check("write to the eventfd", err)
}

// takeAnswers queues the operations of all queued answers.
func (r *reactor) takeAnswers() {
	r.mu.Lock()
	r.queue, r.taken = r.taken[:0], r.queue
	r.mu.Unlock()
	for _, a := range r.taken {
		r.recycle(a.bid)
		r.respond(a.c)
	}
}

// maxUnanswered bounds a connection's unanswered requests. There can be several: with
// IOSQE_ASYNC, the peer may receive an answer before its send completes.
const maxUnanswered = 16

// handOver gives a request to the connection's goroutine. It is the server's deliver.
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

// start starts the connection's goroutine. conn.busy keeps the connection's index in use until
// that goroutine has answered all requests.
func (r *reactor) start(c *conn) {
	requests, answered := make(chan int, maxUnanswered), make(chan int32, 1)
	c.requests, c.answered = requests, answered
	go func() {
		for bid := range requests {
			r.submitAnswer(pendingAnswer{c, bid})
			<-answered // the receive fails, too, if the send did, and ends the connection
		}
	}()
}
