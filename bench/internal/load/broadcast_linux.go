package load

import (
	"bytes"
	"encoding/binary"
	"time"
)

// broadcastWindow is how many messages are under way at a time. While the load generator reads
// the last copies of one message, the server can send the next.
const broadcastWindow = 4

// broadcast is the state of a Broadcast job.
type broadcast struct {
	*loader
	next    uint64                     // number of the next message; a message begins with its number
	sentAt  [broadcastWindow]time.Time // when the messages under way were sent
	missing [broadcastWindow]int       // their copies that have not arrived
}

// runBroadcast sends messages on the first connection and counts the copies that the server
// sends to all others.
func (l *loader) runBroadcast() Result {
	b := &broadcast{loader: l}
	l.msg = Pattern()[:BroadcastSize]
	l.step = b.receive
	l.connectAll(l.job.Conns+1, func(*client) { l.queued++ })
	for range broadcastWindow {
		b.send(time.Now())
	}
	return l.measured(l.loop)
}

// send sends the next message.
func (b *broadcast) send(now time.Time) {
	slot, sender := b.next%broadcastWindow, &b.conns[0]
	b.sentAt[slot], b.missing[slot] = now, b.job.Conns
	binary.LittleEndian.PutUint64(b.msg, b.next)
	b.next++
	sender.sent = 0
	if sender.write(b.msg); sender.sent < len(b.msg) {
		fail("the sender's socket took %d of a message's %d bytes", sender.sent, len(b.msg))
	}
}

// receive takes the greeting of c, then copies of messages.
func (b *broadcast) receive(c *client) {
	for {
		p := c.read(b.buf)
		if p == nil {
			return
		}
		if len(p) == 0 {
			fail("the server closed a connection")
		}
		drained := len(p) < len(b.buf)
		if c.since.IsZero() {
			if p[0] != Greeting {
				fail("connection %d: the greeting is %q instead of %q", c.id, p[0], Greeting)
			}
			c.since = time.Now()
			b.queued--
			p = p[1:]
		}
		b.copies(c, p)
		if drained {
			return
		}
	}
}

// copies checks and counts what c received.
func (b *broadcast) copies(c *client, p []byte) {
	for len(p) > 0 {
		number, at := uint64(c.got/BroadcastSize), c.got%BroadcastSize
		n := min(len(p), BroadcastSize-at)
		if number >= b.next || c.id == 0 {
			fail("connection %d: the server sent %d bytes that no client did", c.id, len(p))
		}
		binary.LittleEndian.PutUint64(b.msg, number)
		if !bytes.Equal(p[:n], b.msg[at:at+n]) {
			fail("connection %d: wrong bytes at offset %d of message %d", c.id, at, number)
		}
		p = p[n:]
		if c.got += n; c.got%BroadcastSize > 0 {
			return
		}
		now, slot := time.Now(), number%broadcastWindow
		b.completed(b.sentAt[slot], now, 1)
		if b.missing[slot]--; b.missing[slot] == 0 {
			b.send(now)
		}
	}
}
