package main

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// server is an HTTP server on a ring. All of it belongs to one goroutine, but for
// what reactor adds.
type server struct {
	mode      *ringMode
	ring      *ring
	bufs      *buffers
	conns     *connTable
	listener  int
	accepting bool

	// deliver is called with each request. opened and closed are called with each
	// connection; they may be nil.
	deliver        func(*conn, request) error
	opened, closed func(*conn)
	// woken is called when the wake-up operation completes.
	woken func() error
}

const (
	sqEntries = 2048
	cqEntries = 2 * sqEntries

	// sqIdleMillis is how long the thread of SQPOLL polls for nothing. It is short,
	// so that a server that has nothing to do leaves the CPU to the others, and
	// long compared to the time between requests.
	sqIdleMillis = 5
)

// newServer sets up the ring. It must be called on the thread that uses it.
func newServer(m *ringMode, listener int) (s *server, err error) {
	s = &server{mode: m, listener: listener, conns: newConnTable()}
	s.deliver = s.answerHere
	if s.ring, err = newRing(m.setup, sqEntries, cqEntries, sqIdleMillis); err != nil {
		return nil, err
	}
	if m.ringFD {
		if err = s.ring.registerRingFD(); err != nil {
			return nil, errors.Join(err, s.ring.close())
		}
	}
	if m.files {
		if err = s.ring.registerFiles(maxConns); err != nil {
			return nil, errors.Join(err, s.ring.close())
		}
	}
	if s.bufs, err = newBuffers(s.ring, m); err != nil {
		return nil, errors.Join(err, s.ring.close())
	}
	if m.recv == recvMultishotLegacy {
		err = s.bufs.provide(s.ring, 0, providedBuffers, 0)
	}
	return s, errors.Join(err, s.queueAccept())
}

// loop serves until something is wrong.
func (s *server) loop() error {
	for {
		if err := s.ring.enter(1, 0); err != nil {
			return err
		}
		if _, err := s.ring.reap(s.complete); err != nil {
			return err
		}
	}
}

// answerHere is deliver in a loop.
func (s *server) answerHere(c *conn, q request) error {
	return errors.Join(s.bufs.recycle(s.ring, q.bid), s.answer(c))
}

// answer sends the answer to one request, after those to earlier ones.
func (s *server) answer(c *conn) error {
	if c.sending {
		c.owed++
		return nil
	}
	c.sent = 0
	if err := s.queueSend(c); err != nil {
		return err
	}
	if !c.armed && !c.closing { // the request is not needed any more, nor is the buffer
		return s.queueRecv(c)
	}
	return nil
}

// complete handles a completion.
func (s *server) complete(e completion) error {
	slot := uint32(e.userData >> 8)
	switch uint8(e.userData) {
	case kindAccept:
		return s.accepted(e)
	case kindWake:
		if e.res < 0 {
			return refused("IORING_OP_READ of the eventfd", syscall.Errno(-e.res))
		}
		return s.woken()
	case kindProvide:
		if e.res < 0 {
			return refused("IORING_OP_PROVIDE_BUFFERS", syscall.Errno(-e.res))
		}
		return nil
	}
	c, err := s.conns.at(slot)
	if err != nil {
		return err
	}
	switch kind := uint8(e.userData); kind {
	case kindRecv:
		return s.received(c, e)
	case kindSend:
		return s.sent(c, e)
	case kindClose:
		if e.res < 0 {
			return refused("IORING_OP_CLOSE", syscall.Errno(-e.res))
		}
		s.conns.remove(c)
		if !s.accepting {
			return s.queueAccept()
		}
		return nil
	default:
		return fmt.Errorf("a completion of unknown kind %d", kind)
	}
}

func (s *server) accepted(e completion) error {
	s.accepting = false
	if e.res < 0 {
		if errno := syscall.Errno(-e.res); errno != unix.ECONNABORTED && errno != unix.EINTR {
			return refused("IORING_OP_ACCEPT", errno)
		}
		return s.queueAccept()
	}
	c := s.conns.add(e.res)
	if s.opened != nil {
		s.opened(c)
	}
	if err := s.queueRecv(c); err != nil {
		return err
	}
	if s.conns.full() {
		return nil // the next close goes on
	}
	return s.queueAccept()
}

func (s *server) received(c *conn, e completion) error {
	if e.flags&ioringCQEFMore == 0 {
		c.inflight--
		c.armed = false
	}
	switch {
	case e.res > 0:
		if err := s.deliver(c, s.bufs.received(c, int(e.res), e.flags)); err != nil {
			return err
		}
		if s.mode.recv.multishot() && !c.armed && !c.closing { // it ended early
			return s.queueRecv(c)
		}
		return nil
	case e.res == -int32(unix.ENOBUFS) || e.res == -int32(unix.EINTR):
		return s.queueRecv(c) // a buffer is free again soon
	case isRefusal(e.res):
		return refused(s.mode.recv.opName(), syscall.Errno(-e.res))
	}
	if e.flags&ioringCQEFBuffer != 0 { // taken, but with nothing put in
		if err := s.bufs.recycle(s.ring, s.bufs.received(c, 0, e.flags).bid); err != nil {
			return err
		}
	}
	return s.hangUp(c) // the peer has, or there was an error
}

func (s *server) sent(c *conn, e completion) error {
	if e.flags&ioringCQEFMore == 0 { // else a notification follows
		c.inflight--
	}
	if e.flags&ioringCQEFNotif != 0 {
		return s.closeIfDone(c)
	}
	c.sending = false
	switch {
	case e.res >= 0 && c.sent+int(e.res) < len(load.Answer):
		c.sent += int(e.res)
		return s.queueSend(c)
	case e.res < 0 && isRefusal(e.res):
		return refused(s.mode.send.opName(), syscall.Errno(-e.res))
	}
	if c.answered != nil {
		c.busy--
		c.answered <- e.res // never blocks: one answer at a time, and room for it
	}
	if e.res < 0 {
		c.owed = 0
		return s.hangUp(c)
	}
	if c.owed > 0 {
		c.owed--
		return s.answer(c)
	}
	return s.closeIfDone(c)
}

// hangUp makes this the end of the connection, once nothing is under way. What is
// ends by itself, since the peer has hung up or the socket has an error.
func (s *server) hangUp(c *conn) error {
	if !c.closing {
		c.closing = true
		if s.closed != nil {
			s.closed(c)
		}
	}
	return s.closeIfDone(c)
}

func (s *server) closeIfDone(c *conn) error {
	if !c.closing || c.inflight > 0 || c.busy > 0 {
		return nil
	}
	c.inflight++ // the close
	return s.queueClose(c)
}
