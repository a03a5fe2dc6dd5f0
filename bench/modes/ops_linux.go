package main

import (
	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"
)

// The low byte of user_data says what an operation is, the rest whose.
const (
	kindAccept = iota
	kindRecv
	kindSend
	kindClose
	kindProvide
	kindWake
)

func userData(kind uint8, slot uint32) uint64 { return uint64(slot)<<8 | uint64(kind) }

// queueAccept queues an accept of one connection.
func (s *server) queueAccept() error {
	e, err := s.ring.next()
	if err != nil {
		return err
	}
	// The sockets stay blocking: on a non-blocking one, IOSQE_ASYNC gets EAGAIN.
	e.PrepOperation(iouring.IORING_OP_ACCEPT, int32(s.listener), 0, 0, 0)
	if s.mode.files { // close-on-exec is for descriptors only
		e.SetSpliceFdIn(ioringFileIndexAlloc)
	} else {
		e.SetOpFlags(unix.SOCK_CLOEXEC)
	}
	e.SetUserData(userData(kindAccept, 0))
	s.accepting = true
	return nil
}

// queueRecv queues the connection's next receive, or the one that brings all.
func (s *server) queueRecv(c *conn) error {
	e, err := s.ring.next()
	if err != nil {
		return err
	}
	switch s.mode.recv {
	case recvOwn, recvOwnFixed:
		e.PrepOperation(iouring.IORING_OP_RECV, c.fd, address(s.bufs.of(c)), recvSize, 0)
		if s.mode.recv == recvOwnFixed {
			e.SetIoprio(ioringRecvsendFixedBuf)
			e.SetBufIndex(fixedRecvs)
		}
	case recvFixed:
		e.PrepOperation(iouring.IORING_OP_READ_FIXED, c.fd, address(s.bufs.of(c)), recvSize, 0)
		e.SetBufIndex(fixedRecvs)
	case recvMultishotLegacy, recvMultishotRing:
		e.PrepOperation(iouring.IORING_OP_RECV, c.fd, 0, 0, 0)
		e.SetIoprio(ioringRecvMultishot)
		e.SetFlags(iouring.IOSQE_FLAGS_BUFFER_SELECT)
		e.SetBufGroup(bufferGroup)
	}
	s.finish(e, kindRecv, c)
	c.armed = true
	return nil
}

// queueSend queues what is left of an answer.
func (s *server) queueSend(c *conn) error {
	e, err := s.ring.next()
	if err != nil {
		return err
	}
	p := s.bufs.answer[c.sent:]
	switch s.mode.send {
	case sendPlain, sendPlainFixed:
		e.PrepOperation(iouring.IORING_OP_SEND, c.fd, address(p), uint32(len(p)), 0)
		e.SetOpFlags(unix.MSG_NOSIGNAL)
		if s.mode.send == sendPlainFixed {
			e.SetIoprio(ioringRecvsendFixedBuf)
			e.SetBufIndex(fixedAnswer)
		}
	case sendFixed:
		e.PrepOperation(iouring.IORING_OP_WRITE_FIXED, c.fd, address(p), uint32(len(p)), 0)
		e.SetBufIndex(fixedAnswer)
	case sendZC:
		e.PrepOperation(iouring.IORING_OP_SEND_ZC, c.fd, address(p), uint32(len(p)), 0)
		e.SetOpFlags(unix.MSG_NOSIGNAL)
		e.SetIoprio(ioringRecvsendFixedBuf)
		e.SetBufIndex(fixedAnswer)
	}
	s.finish(e, kindSend, c)
	c.sending = true
	return nil
}

// opName names the operation that receives.
func (r receiving) opName() string {
	return [...]string{
		recvOwn:             "IORING_OP_RECV",
		recvFixed:           "IORING_OP_READ_FIXED",
		recvOwnFixed:        "IORING_OP_RECV with IORING_RECVSEND_FIXED_BUF",
		recvMultishotLegacy: "IORING_OP_RECV with IORING_RECV_MULTISHOT and legacy buffers",
		recvMultishotRing:   "IORING_OP_RECV with IORING_RECV_MULTISHOT and a buffer ring",
	}[r]
}

// opName names the operation that sends.
func (s sending) opName() string {
	return [...]string{
		sendPlain:      "IORING_OP_SEND",
		sendFixed:      "IORING_OP_WRITE_FIXED",
		sendZC:         "IORING_OP_SEND_ZC with IORING_RECVSEND_FIXED_BUF",
		sendPlainFixed: "IORING_OP_SEND with IORING_RECVSEND_FIXED_BUF",
	}[s]
}

// finish fills in what receives and sends have in common.
func (s *server) finish(e *sqe, kind uint8, c *conn) {
	if s.mode.files {
		e.SetFlags(iouring.IOSQE_FLAGS_FIXED_FILE)
	}
	if s.mode.async {
		e.SetFlags(iouring.IOSQE_FLAGS_ASYNC)
	}
	e.SetUserData(userData(kind, c.slot))
	c.inflight++
}

// queueClose queues the end of a connection.
func (s *server) queueClose(c *conn) error {
	e, err := s.ring.next()
	if err != nil {
		return err
	}
	if s.mode.files { // file_index is the place plus one, the descriptor 0
		e.PrepOperation(iouring.IORING_OP_CLOSE, 0, 0, 0, 0)
		e.SetSpliceFdIn(c.fd + 1)
	} else {
		e.PrepOperation(iouring.IORING_OP_CLOSE, c.fd, 0, 0, 0)
	}
	e.SetUserData(userData(kindClose, c.slot))
	return nil
}
