package modes

import (
	"cmp"
	"log"
	"syscall"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bufring"
)

// server is an HTTP server on a ring. It belongs to one goroutine, except for the parts that
// reactor adds.
type server struct {
	mode      *ringMode
	ring      *ring
	conns     [MaxConns]conn
	free      []uint32 // indexes in conns
	listener  int32
	accepting bool

	own      []byte        // buffers of single receives: recvSize bytes for each connection
	legacy   []byte        // of recvMultishotLegacy
	provided *bufring.Ring // of recvMultishotRing
	answer   []byte

	deliver        func(c *conn, bid int) // takes a request by the id of its provided buffer
	opened, closed func(*conn)            // follow an accept and a hang-up; may be nil
	woken          func()                 // follows the completion of the wake-up operation
}

// conn is a connection. Its fields belong to the goroutine that owns the ring.
type conn struct {
	fd       int32 // a descriptor, or an index into the table of registered descriptors
	slot     uint32
	open     bool
	armed    bool // a receive is under way
	closing  bool
	inflight int // operations that the kernel has not finished
	busy     int // requests that the connection's goroutine has

	requests chan int   // to the connection's goroutine; nil in a loop
	answered chan int32 // from the ring: the result of the send
}

// MaxConns is the most connections that a server has open at a time. Others wait in the backlog.
const MaxConns = 1024

const (
	recvSize    = 2048 // of a receive buffer; there are MaxConns, as a client waits for its answer
	bufferGroup = 0    // the id of the ring's only buffer group
	fixedRecvs  = 0    // index of the registered buffer for receives
	fixedAnswer = 1    // index of the registered buffer with the answer
	noBuffer    = -1   // stands for the id of a provided buffer where there is none
)

// The kinds of operations.
const (
	kindAccept = iota
	kindRecv
	kindSend
	kindClose
	kindProvide
	kindWake
)

// newServer sets up the ring. Call it on the thread that uses the ring.
func newServer(m *ringMode, listener int) *server {
	s := &server{mode: m, listener: int32(listener), ring: newRing(m.setup)}
	s.deliver = func(c *conn, bid int) {
		s.recycle(bid)
		s.respond(c)
	}
	for i := range uint32(MaxConns) {
		s.free = append(s.free, MaxConns-1-i)
	}
	if m.ringFD {
		s.ring.registerRingFD()
	}
	if m.files {
		s.ring.registerFiles(MaxConns)
	}
	s.makeBuffers()
	s.queueAccept()
	return s
}

// makeBuffers makes and registers the buffers of the mode.
func (s *server) makeBuffers() {
	const size = MaxConns * recvSize
	all := anonymous(size + len(load.RawAnswer))
	s.answer = all[size:]
	copy(s.answer, load.RawAnswer)
	switch s.mode.recv {
	case recvMultishotLegacy:
		s.legacy = all[:size]
		s.provide(0, MaxConns, 0)
	case recvMultishotRing:
		var err error
		s.provided, err = bufring.New(MaxConns, recvSize)
		check("buffer ring", err)
		allowed("IORING_REGISTER_PBUF_RING", s.provided.Register(s.ring.fd, bufferGroup))
	default:
		s.own = all[:size]
		if s.mode.recv != "" || s.mode.send != "" {
			s.ring.registerBuffers(s.own, s.answer)
		}
	}
}

func (s *server) loop() {
	for {
		s.ring.enter(1, 0)
		s.ring.reap(s.complete)
	}
}

// respond sends the answer to a request.
func (s *server) respond(c *conn) {
	s.queueSend(c)
	if !c.armed && !c.closing { // the receive buffer is free again
		s.queueRecv(c)
	}
}

func (s *server) complete(e completion) {
	switch e.kind {
	case kindAccept:
		s.accepted(e)
		return
	case kindWake:
		done("IORING_OP_READ of the eventfd", e.res)
		s.woken()
		return
	case kindProvide:
		done("IORING_OP_PROVIDE_BUFFERS", e.res)
		return
	}
	if e.slot >= MaxConns || !s.conns[e.slot].open {
		log.Fatalf("an operation completed on connection %d, which is not open", e.slot)
	}
	switch c := &s.conns[e.slot]; e.kind {
	case kindRecv:
		s.received(c, e)
	case kindSend:
		s.sent(c, e)
	case kindClose:
		done("IORING_OP_CLOSE", e.res)
		c.open = false
		s.free = append(s.free, e.slot)
		if !s.accepting {
			s.queueAccept()
		}
	}
}

func (s *server) accepted(e completion) {
	s.accepting = false
	if e.res >= 0 {
		slot := s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		c := &s.conns[slot]
		*c = conn{fd: e.res, slot: slot, open: true}
		if s.opened != nil {
			s.opened(c)
		}
		s.queueRecv(c)
	} else if errno := syscall.Errno(-e.res); errno != unix.ECONNABORTED && errno != unix.EINTR {
		allowed("IORING_OP_ACCEPT", errno)
	}
	if len(s.free) > 0 { // otherwise the next close queues it
		s.queueAccept()
	}
}

func (s *server) received(c *conn, e completion) {
	if e.flags&ioringCQEFMore == 0 {
		c.inflight--
		c.armed = false
	}
	bid := noBuffer
	if e.flags&ioringCQEFBuffer != 0 {
		bid = int(e.flags >> ioringCQEBufferShift)
		if s.provided != nil {
			s.provided.Claim(uint16(bid))
		}
	}
	switch {
	case e.res > 0:
		s.deliver(c, bid)
		if s.mode.recv.multishot() && !c.armed && !c.closing { // the kernel ended the multishot
			s.queueRecv(c)
		}
	case e.res == -int32(unix.ENOBUFS) || e.res == -int32(unix.EINTR):
		s.queueRecv(c) // soon a buffer is free again
	default:
		done(cmp.Or(string(s.mode.recv), "IORING_OP_RECV"), e.res)
		s.recycle(bid) // the kernel may have taken it without filling it
		s.hangUp(c)    // the peer hung up, or the socket failed
	}
}

func (s *server) sent(c *conn, e completion) {
	if e.flags&ioringCQEFMore == 0 { // otherwise a notification follows
		c.inflight--
	}
	if e.flags&ioringCQEFNotif == 0 {
		done(cmp.Or(string(s.mode.send), "IORING_OP_SEND"), e.res)
		if e.res >= 0 && int(e.res) < len(s.answer) {
			log.Fatal(notRead)
		}
		if c.answered != nil {
			c.busy--
			c.answered <- e.res // never blocks: it has room for the only answer
		}
		if e.res < 0 {
			s.hangUp(c)
			return
		}
	}
	s.closeIfDone(c)
}

// hangUp closes the connection when no operation is under way any more. Operations under way end
// by themselves, as the peer has hung up or the socket has failed.
func (s *server) hangUp(c *conn) {
	if !c.closing && s.closed != nil {
		s.closed(c)
	}
	c.closing = true
	s.closeIfDone(c)
}

func (s *server) closeIfDone(c *conn) {
	if c.closing && c.inflight == 0 && c.busy == 0 {
		c.inflight++      // for the close
		if s.mode.files { // file_index is the index plus one
			s.ring.op(iouring.IORING_OP_CLOSE, 0, nil, userData(kindClose, c.slot)).SetSpliceFdIn(c.fd + 1)
		} else {
			s.ring.op(iouring.IORING_OP_CLOSE, c.fd, nil, userData(kindClose, c.slot))
		}
	}
}

func (s *server) queueAccept() {
	// The sockets stay blocking: on a non-blocking socket, IOSQE_ASYNC returns EAGAIN.
	e := s.ring.op(iouring.IORING_OP_ACCEPT, s.listener, nil, userData(kindAccept, 0))
	if s.mode.files { // SOCK_CLOEXEC is for descriptors only
		e.SetSpliceFdIn(ioringFileIndexAlloc)
	} else {
		e.SetOpFlags(unix.SOCK_CLOEXEC)
	}
	s.accepting = true
}

// queueRecv queues the connection's next receive, or its multishot receive.
func (s *server) queueRecv(c *conn) {
	op := uint8(iouring.IORING_OP_RECV)
	if s.mode.recv == recvFixed {
		op = iouring.IORING_OP_READ_FIXED
	}
	var p []byte
	if s.own != nil {
		p = s.own[int(c.slot)*recvSize:][:recvSize]
	}
	e := s.ring.op(op, c.fd, p, userData(kindRecv, c.slot))
	switch s.mode.recv {
	case recvMultishotLegacy, recvMultishotRing:
		e.SetIoprio(ioringRecvMultishot)
		e.SetFlags(iouring.IOSQE_FLAGS_BUFFER_SELECT)
		e.SetBufGroup(bufferGroup)
	case recvOwnFixed:
		e.SetIoprio(ioringRecvsendFixedBuf)
		fallthrough
	case recvFixed:
		e.SetBufIndex(fixedRecvs)
	}
	c.armed = true
	s.begun(e, c)
}

func (s *server) queueSend(c *conn) {
	op := uint8(iouring.IORING_OP_SEND)
	switch s.mode.send {
	case sendFixed:
		op = iouring.IORING_OP_WRITE_FIXED
	case sendZC:
		op = iouring.IORING_OP_SEND_ZC
	}
	e := s.ring.op(op, c.fd, s.answer, userData(kindSend, c.slot))
	if s.mode.send != sendFixed {
		e.SetOpFlags(unix.MSG_NOSIGNAL)
	}
	if s.mode.send == sendZC || s.mode.send == sendPlainFixed {
		e.SetIoprio(ioringRecvsendFixedBuf)
	}
	if s.mode.send != "" {
		e.SetBufIndex(fixedAnswer)
	}
	s.begun(e, c)
}

// begun does what receives and sends have in common.
func (s *server) begun(e *sqe, c *conn) {
	if s.mode.files {
		e.SetFlags(iouring.IOSQE_FLAGS_FIXED_FILE)
	}
	if s.mode.async {
		e.SetFlags(iouring.IOSQE_FLAGS_ASYNC)
	}
	c.inflight++
}

// recycle gives a provided buffer back; a legacy buffer needs an operation.
func (s *server) recycle(bid int) {
	switch {
	case bid == noBuffer:
	case s.provided != nil:
		s.provided.Recycle(uint16(bid))
	default:
		s.provide(bid, 1, iosqeCQESkipSuccess)
	}
}

// provide queues an IORING_OP_PROVIDE_BUFFERS of n legacy buffers from id bid on.
func (s *server) provide(bid int, n int32, flags uint8) {
	e := s.ring.opAt(iouring.IORING_OP_PROVIDE_BUFFERS, n, s.legacy[bid*recvSize:][:recvSize], uint64(bid), userData(kindProvide, 0))
	e.SetBufGroup(bufferGroup)
	e.SetFlags(flags)
}
