package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// broadcastWindow is how many messages may be on their way to somebody: enough for
// the server to go on while the load generator reads the last copies of one.
const broadcastWindow = 4

// broadcast is the state of a loadBroadcast job.
type broadcast struct {
	*loader
	sender  *client
	next    uint64                     // number of the next message, which it begins with
	sentAt  [broadcastWindow]time.Time // when the latest ones were sent
	missing [broadcastWindow]int       // copies of them still to arrive
	running bool
}

// runBroadcast sends messages on one connection that the server sends to all
// others, and counts the copies.
func (l *loader) runBroadcast() (res loadResult, err error) {
	b := &broadcast{loader: l}
	l.msg = pattern()[:broadcastSize]
	l.step = b.receive
	greeted := func(*client) error {
		l.queued++
		return nil
	}
	if err := l.connectAll(l.job.Conns+1, greeted); err != nil {
		return res, err
	}
	b.sender, b.running = &l.conns[0], true
	for range broadcastWindow {
		if err := b.send(time.Now()); err != nil {
			return res, err
		}
	}
	return l.measure(l.loop)
}

// send sends the next message.
func (b *broadcast) send(now time.Time) error {
	slot := b.next % broadcastWindow
	b.sentAt[slot], b.missing[slot] = now, b.job.Conns
	binary.LittleEndian.PutUint64(b.msg, b.next)
	b.next++
	b.sender.sent = 0
	if err := b.sender.write(b.msg); err != nil {
		return err
	}
	if b.sender.sent < len(b.msg) {
		return errors.New("the sender's socket has no room for a message")
	}
	return nil
}

// receive takes the greeting of c, then copies of messages.
func (b *broadcast) receive(c *client) error {
	for {
		p, err := c.read(b.buf)
		if err == errAgain {
			return nil
		}
		if err != nil {
			return err
		}
		drained := len(p) < len(b.buf)
		if c.since.IsZero() {
			if p[0] != greeting {
				return fmt.Errorf("connection %d: greeted with %q", c.id, p[0])
			}
			c.since = time.Now()
			b.queued--
			p = p[1:]
		}
		if len(p) > 0 && (!b.running || c == b.sender) {
			return fmt.Errorf("connection %d: %d bytes that nobody sent", c.id, len(p))
		}
		if err := b.copies(c, p); err != nil {
			return err
		}
		if drained {
			return nil
		}
	}
}

// copies checks and counts what c received.
func (b *broadcast) copies(c *client, p []byte) error {
	for len(p) > 0 {
		number, at := uint64(c.got/broadcastSize), c.got%broadcastSize
		n := min(len(p), broadcastSize-at)
		if number >= b.next {
			return fmt.Errorf("connection %d: message %d was not sent yet", c.id, number)
		}
		binary.LittleEndian.PutUint64(b.msg, number)
		if !bytes.Equal(p[:n], b.msg[at:at+n]) {
			return fmt.Errorf("connection %d: wrong bytes at offset %d of message %d", c.id, at, number)
		}
		p = p[n:]
		if c.got += n; c.got%broadcastSize > 0 {
			return nil
		}
		now, slot := time.Now(), number%broadcastWindow
		if err := b.Completed(b.sentAt[slot], now, 1); err != nil {
			return err
		}
		if b.missing[slot]--; b.missing[slot] == 0 {
			if err := b.send(now); err != nil {
				return err
			}
		}
	}
	return nil
}
