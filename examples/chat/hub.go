package main

import (
	"fmt"
	"log"
	"net"
	"sync"
	"time"
)

// socket has the methods beyond net.Conn that the chat needs. Connections of netring and
// of net have them.
type socket interface {
	net.Conn
	SetLinger(sec int) error
	SetWriteBuffer(bytes int) error
}

// hub is the members of the chat.
type hub struct {
	buffered bool // connections have write buffers

	mu      sync.Mutex // held while a line goes to all members, so that all see one order
	members map[*member]bool
	joined  int // ever
}

// member is a client of the chat.
type member struct {
	name string
	conn socket
	out  outbox
}

func newHub(buffered bool) *hub { return &hub{buffered: buffered, members: make(map[*member]bool)} }

// join makes c a member and tells c its name.
func (h *hub) join(c net.Conn) (*member, error) {
	conn := c.(socket)
	// Otherwise the kernel would buffer megabytes for a client that does not read.
	if err := conn.SetWriteBuffer(outboxSize); err != nil {
		return nil, err
	}
	m := &member{conn: conn, out: newOutbox(conn, h.buffered)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.joined++
	m.name = fmt.Sprintf("guest%d", h.joined)
	h.members[m] = true
	h.send(m, fmt.Appendf(nil, "* you are %s\n", m.name))
	return m, nil
}

// broadcast sends a line to all members.
func (h *hub) broadcast(line []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for m := range h.members {
		h.send(m, line)
	}
}

// send sends a line to m, or drops m. It does not wait for m: a Write waits only if it
// finds the outbox full, and only send writes. h.mu is held.
func (h *hub) send(m *member, line []byte) {
	if m.out.Buffered()+len(line) > outboxSize {
		log.Printf("%s, %s: dropped, because it reads too slowly", m.name, m.conn.RemoteAddr())
		h.drop(m)
		return
	}
	if _, err := m.out.Write(line); err != nil {
		h.drop(m) // its serve finds out why
	}
}

// drop makes m's serve end, and its Close reset the connection instead of sending what is
// buffered. h.mu is held.
func (h *hub) drop(m *member) {
	delete(h.members, m)
	// An error means that the connection is closed already.
	_ = m.conn.SetLinger(0)
	_ = m.conn.SetDeadline(time.Now())
}

// leave ends m's membership and sends m what is buffered.
func (h *hub) leave(m *member) {
	h.mu.Lock()
	delete(h.members, m)
	h.mu.Unlock()
	if q, ok := m.out.(*queue); ok {
		q.end()
	}
}
