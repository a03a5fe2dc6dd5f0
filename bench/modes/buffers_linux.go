package main

import (
	"fmt"

	iouring "github.com/iceber/iouring-go/syscall"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bufring"
)

const (
	// providedBuffers is the number of buffers that multishot receives share: one
	// for each connection, as nobody sends a second request before the answer.
	providedBuffers = maxConns

	// bufferGroup is the id of the ring's only buffer group.
	bufferGroup = 0

	// The indexes of the registered buffers.
	fixedRecvs  = 0
	fixedAnswer = 1
)

// buffers is where requests are received to.
type buffers struct {
	own      []byte        // single receives: recvSize bytes for each place
	legacy   []byte        // recvMultishotLegacy
	provided *bufring.Ring // recvMultishotRing
	answer   []byte
}

// newBuffers makes what m needs and registers it with r, except for legacy
// buffers, which take an operation.
func newBuffers(r *ring, m *ringMode) (b *buffers, err error) {
	b = &buffers{}
	if b.answer, err = anonymous(len(load.Answer)); err != nil {
		return nil, err
	}
	copy(b.answer, load.Answer)
	switch m.recv {
	case recvOwn, recvFixed, recvOwnFixed:
		b.own, err = anonymous(maxConns * recvSize)
	case recvMultishotLegacy:
		b.legacy, err = anonymous(providedBuffers * recvSize)
	case recvMultishotRing:
		if b.provided, err = bufring.New(providedBuffers, recvSize); err == nil {
			err = refused("IORING_REGISTER_PBUF_RING", b.provided.Register(r.fd, bufferGroup))
		}
	}
	if err != nil {
		return nil, err
	}
	if m.recv == recvFixed || m.recv == recvOwnFixed || m.send != sendPlain {
		if b.own == nil {
			return nil, fmt.Errorf("mode %s: registered buffers are for receives into the connection's own", m.name)
		}
		err = r.registerBuffers(b.own, b.answer)
	}
	return b, err
}

// of returns the connection's own buffer.
func (b *buffers) of(c *conn) []byte {
	return b.own[int(c.slot)*recvSize : (int(c.slot)+1)*recvSize]
}

// received returns what a receive of n bytes brought.
func (b *buffers) received(c *conn, n int, flags uint32) request {
	bid := noBuffer
	if flags&ioringCQEFBuffer != 0 {
		bid = int(flags >> ioringCQEBufferShift)
	}
	switch {
	case bid == noBuffer:
		return request{b.of(c)[:n], noBuffer}
	case b.provided != nil:
		b.provided.Claim(uint16(bid))
		return request{b.provided.Bytes(uint16(bid), n), bid}
	}
	return request{b.legacy[bid*recvSize:][:n], bid}
}

// recycle gives a provided buffer back, which needs an operation if it is a legacy
// one.
func (b *buffers) recycle(r *ring, bid int) error {
	switch {
	case bid == noBuffer:
		return nil
	case b.provided != nil:
		b.provided.Recycle(uint16(bid))
		return nil
	}
	return b.provide(r, bid, 1, iosqeCQESkipSuccess)
}

// provide queues an IORING_OP_PROVIDE_BUFFERS of n legacy buffers from id bid on.
func (b *buffers) provide(r *ring, bid, n int, flags uint8) error {
	e, err := r.next()
	if err != nil {
		return err
	}
	e.PrepOperation(iouring.IORING_OP_PROVIDE_BUFFERS, int32(n), address(b.legacy[bid*recvSize:]), recvSize, uint64(bid))
	e.SetBufGroup(bufferGroup)
	e.SetFlags(flags)
	e.SetUserData(userData(kindProvide, 0))
	return nil
}
