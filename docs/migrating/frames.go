package migrating

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// maxFrame is the size of the longest frame in bytes.
const maxFrame = 1 << 20

func serveAll(ln net.Listener, answer func(frame []byte) []byte) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() { // was: OnOpen
			defer c.Close() // was: OnClose
			if err := serveFrames(c, answer); !errors.Is(err, io.EOF) {
				fmt.Println(c.RemoteAddr(), err)
			}
		}()
	}
}

// serveFrames answers frames of a length in four bytes and a payload.
func serveFrames(c net.Conn, answer func(frame []byte) []byte) error {
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	var head [4]byte
	for { // was: OnTraffic, or netpoll's OnRequest
		if r.Buffered() == 0 { // the next read may wait
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > maxFrame {
			return fmt.Errorf("a frame has %d bytes; the limit is %d", n, maxFrame)
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(r, frame); err != nil {
			return err
		}
		reply := answer(frame)
		binary.BigEndian.PutUint32(head[:], uint32(len(reply)))
		// A failed Write fails all later ones, and Flush returns its error.
		w.Write(head[:])
		w.Write(reply)
	}
}
