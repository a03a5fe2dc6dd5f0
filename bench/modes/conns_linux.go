package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// maxConns bounds the connections a server has open at a time. Others wait in
	// the backlog.
	maxConns = 1024

	// recvSize is the size of a receive buffer.
	recvSize = 2048
)

// noBuffer is the id of no provided buffer.
const noBuffer = -1

// request is what one receive brought.
type request struct {
	data []byte
	bid  int // the provided buffer that holds it, or noBuffer
}

// conn is a connection. Its fields belong to the goroutine that owns the ring.
type conn struct {
	fd       int32 // a descriptor, or an index into the table of registered ones
	slot     uint32
	open     bool
	inflight int  // operations the kernel has not finished with
	armed    bool // a receive is one of them
	sending  bool // a send is
	sent     int  // bytes of the answer that have gone
	owed     int  // answers to send after the one under way
	busy     int  // requests that the connection's goroutine has
	closing  bool

	requests chan request // to the connection's goroutine; nil in a loop
	answered chan int32   // from the ring: how the send ended
}

// connTable has a place for each connection. The places never move.
type connTable struct {
	conns []conn
	free  []uint32
}

func newConnTable() *connTable {
	t := &connTable{conns: make([]conn, maxConns)}
	for i := maxConns - 1; i >= 0; i-- {
		t.free = append(t.free, uint32(i))
	}
	return t
}

func (t *connTable) full() bool { return len(t.free) == 0 }

// add opens a place. The table must not be full.
func (t *connTable) add(fd int32) *conn {
	slot := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.conns[slot] = conn{fd: fd, slot: slot, open: true}
	return &t.conns[slot]
}

func (t *connTable) remove(c *conn) {
	c.open = false
	t.free = append(t.free, c.slot)
}

// at returns the connection of a place in use.
func (t *connTable) at(slot uint32) (*conn, error) {
	if slot >= maxConns || !t.conns[slot].open {
		return nil, fmt.Errorf("a completion for connection %d, which is not open", slot)
	}
	return &t.conns[slot], nil
}

// anonymous maps n bytes outside the Go heap, where the kernel may keep pointers.
func anonymous(n int) ([]byte, error) {
	p, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", n, err)
	}
	return p, nil
}
