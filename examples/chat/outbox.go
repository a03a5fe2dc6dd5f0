package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// outbox takes lines for a client. Its Write copies.
type outbox interface {
	io.Writer
	// Buffered returns how many bytes the kernel has not taken yet.
	Buffered() int
}

// newOutbox returns the outbox of c: c itself if netring buffers its writes, else a
// queue.
func newOutbox(c net.Conn, buffered bool) outbox {
	if out, ok := c.(outbox); ok && buffered {
		return out
	}
	return newQueue(c)
}

// queue does with a connection of package net what netring's write buffer does. It takes
// a goroutine for each client, and a system call for each client and line when the
// clients keep up.
type queue struct {
	conn net.Conn
	done chan struct{} // closed when run ends

	mu    sync.Mutex
	more  sync.Cond // something happened that run waits for
	buf   []byte    // to be sent
	sends int       // bytes on their way
	ended bool
	err   error // why a write failed
}

// lastWrites bounds how long end waits, as netring bounds the sending after a Close.
const lastWrites = 5 * time.Second

func newQueue(c net.Conn) *queue {
	q := &queue{conn: c, done: make(chan struct{})}
	q.more.L = &q.mu
	go q.run()
	return q
}

// Write implements io.Writer. It reports the error of an earlier write.
func (q *queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return 0, q.err
	}
	q.buf = append(q.buf, p...)
	q.more.Signal()
	return len(p), nil
}

// Buffered implements outbox.
func (q *queue) Buffered() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.buf) + q.sends
}

// end sends what is buffered, unless the connection's deadline has passed. After end, the
// queue takes no more.
func (q *queue) end() {
	q.mu.Lock()
	q.ended = true
	q.more.Signal()
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(lastWrites):
		_ = q.conn.SetWriteDeadline(time.Now()) // an error means that run ends anyway
		<-q.done
	}
}

// run sends what Write has buffered, until end or an error.
func (q *queue) run() {
	defer close(q.done)
	var batch []byte
	for q.next(&batch) {
		_, err := q.conn.Write(batch)
		q.mu.Lock()
		q.sends, q.err = 0, err
		q.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// next waits for lines and moves them to batch. It returns false if there are none and
// will be none.
func (q *queue) next(batch *[]byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.buf) == 0 {
		if q.ended {
			return false
		}
		q.more.Wait()
	}
	*batch, q.buf = q.buf, (*batch)[:0]
	q.sends = len(*batch)
	return true
}
