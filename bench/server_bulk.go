package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// bulkSize is how many bytes are sent on a connection of a bulk workload.
const bulkSize = 1 << 30

// bulkUnit is what a bulk workload counts as a request.
const bulkUnit = 1 << 20

// patternSize is the period of what the source sends and the sink expects.
const patternSize = 64 << 10

// pattern returns patternSize bytes, no eight of which are equal to another eight.
func pattern() []byte {
	p := make([]byte, patternSize)
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], uint64(i)*0x9e3779b97f4a7c15+1)
	}
	return p
}

// source sends bulkSize bytes.
func source(c net.Conn) {
	p := pattern()
	for range bulkSize / patternSize {
		if _, err := c.Write(p); err != nil {
			return // the load generator hangs up at the end of its turn
		}
	}
}

// sinkFailed is the sink's count if what arrived was not the pattern.
const sinkFailed = 1<<64 - 1

// sink receives until the peer half-closes, and answers with how much that was. It
// looks at the beginning of each piece only, so as to measure receiving.
func sink(c net.Conn) {
	p := pattern()
	p = append(p, p[:16]...)
	buf := make([]byte, patternSize)
	var count uint64
	for {
		n, err := c.Read(buf)
		if at := count % patternSize; !bytes.HasPrefix(p[at:], buf[:min(n, 16)]) {
			count = sinkFailed
			break
		}
		count += uint64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return // as above
		}
	}
	// If this fails, the load generator misses its answer.
	_, _ = c.Write(binary.LittleEndian.AppendUint64(nil, count))
}

// serveFile sends a file of bulkSize bytes on each connection, with io.Copy.
func serveFile(ln net.Listener) error {
	f, err := os.CreateTemp("", "netring-bench-*")
	if err != nil {
		return err
	}
	if err := errors.Join(os.Remove(f.Name()), f.Truncate(bulkSize)); err != nil {
		return err
	}
	name := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	return serve(ln, func(c net.Conn) {
		own, err := os.Open(name) // with a position of its own
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: file server:", err)
			return
		}
		defer own.Close()
		_, _ = io.Copy(c, own) // as above
	})
}

// serveProxy takes connections in pairs and copies from the first to the second.
func serveProxy(ln net.Listener) error {
	for {
		src, err := ln.Accept()
		if err != nil {
			return err
		}
		dst, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer src.Close()
			defer dst.Close()
			_, _ = io.Copy(dst, src) // as above
		}()
	}
}
