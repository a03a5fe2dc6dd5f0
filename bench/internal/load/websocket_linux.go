package load

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
)

// upgradeRequest asks for WebSocket. The key is the example of RFC 6455.
const upgradeRequest = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// frame returns a binary message in a frame with a length of 16 bits, see RFC 6455. A
// client's frames are masked, here with a mask of zeros.
func frame(payload []byte, masked bool) []byte {
	const final, binaryMessage, mask, length16 = 0x80, 2, 0x80, 126
	f := []byte{final | binaryMessage, length16}
	if masked {
		f[1] |= mask
	}
	f = binary.BigEndian.AppendUint16(f, uint16(len(payload)))
	if masked {
		f = append(f, 0, 0, 0, 0)
	}
	return append(f, payload...)
}

// runWebSocket upgrades the connections, and keeps one message under way on each.
func (l *loader) runWebSocket() Result {
	if l.job.Size < 126 || l.job.Size >= 64<<10 {
		fail("a WebSocket message has %d bytes; use 126 to 65535", l.job.Size)
	}
	payload := slices.Repeat(Pattern(), l.job.Size/PatternSize+1)[:l.job.Size]
	l.answers = exactAnswers(frame(payload, false))
	l.msg = frame(payload, true)
	l.step, l.next = l.upgrading, l.start
	l.connectAll(l.job.Conns, func(c *client) {
		l.queued++
		c.write([]byte(upgradeRequest))
		if c.sent < len(upgradeRequest) {
			fail("connection %d took %d bytes of a request", c.id, c.sent)
		}
	})
	l.step = l.exchange
	for i := range l.conns {
		l.start(&l.conns[i], time.Now())
	}
	return l.measured(l.loop)
}

// upgrading receives the answer to c's upgradeRequest, which arrives in one piece.
func (l *loader) upgrading(c *client) {
	p := c.read(l.buf)
	if p == nil {
		return
	}
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 101 ")) || !bytes.HasSuffix(p, []byte("\r\n\r\n")) {
		fail("the answer to an upgrade is %.200q", p)
	}
	l.queued--
}
