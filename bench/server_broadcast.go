package main

import (
	"io"
	"net"
	"slices"
	"sync"
)

// broadcastSize is the length of a message that the hub sends to everybody.
const broadcastSize = 100

// greeting is the byte that tells a client that it is subscribed.
const greeting = '!'

// hub sends each message that it gets from a connection to all others, one after
// the other, on the goroutine that received it.
type hub struct {
	mu    sync.RWMutex
	conns []net.Conn
}

func (h *hub) serve(c net.Conn) {
	h.mu.Lock()
	h.conns = append(h.conns, c)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		i := slices.Index(h.conns, c)
		last := len(h.conns) - 1
		h.conns[i], h.conns[last] = h.conns[last], nil
		h.conns = h.conns[:last]
	}()
	if _, err := c.Write([]byte{greeting}); err != nil {
		return
	}
	msg := make([]byte, broadcastSize)
	for {
		if _, err := io.ReadFull(c, msg); err != nil {
			return // at the end of a turn everybody hangs up
		}
		h.mu.RLock()
		for _, to := range h.conns {
			if to != c {
				_, _ = to.Write(msg) // whoever has gone is removed by the goroutine that reads from it
			}
		}
		h.mu.RUnlock()
	}
}
