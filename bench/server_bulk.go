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

// serveFile sends the file of that name on each connection, with io.Copy.
func serveFile(ln net.Listener, name string) error {
	return serve(ln, func(c net.Conn) {
		f, err := os.Open(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: file server:", err)
			return
		}
		defer f.Close()
		_, _ = io.Copy(c, f) // as above
	})
}

// makeFile makes a file of bulkSize bytes for serveFile and reads it once: it is in
// the page cache then, and no server has to bring it there for the others.
func makeFile() (name string, err error) {
	f, err := os.CreateTemp("", "netring-bench-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := f.Truncate(bulkSize); err != nil {
		return "", err
	}
	buf := make([]byte, bulkUnit)
	for range bulkSize / len(buf) {
		if _, err := io.ReadFull(f, buf); err != nil {
			return "", err
		}
	}
	return f.Name(), nil
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
