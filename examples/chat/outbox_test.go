package main

import (
	"io"
	"net"
	"strings"
	"testing"
)

// A queue counts what is on its way as buffered, sends everything before it ends, and
// reports a failed write.
func TestQueue(t *testing.T) {
	c, peer := net.Pipe()
	q := newQueue(c)
	write := func(line string) {
		t.Helper()
		if n, err := io.WriteString(q, line); n != len(line) || err != nil {
			t.Fatalf("Write returns %d, %v", n, err)
		}
	}
	write("first\n")
	if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil { // the rest is on its way
		t.Fatal(err)
	}
	write("second\n")
	if got := q.Buffered(); got != len("first\nsecond\n") {
		t.Errorf("%d bytes are buffered", got)
	}
	read := make(chan string, 1)
	go func() {
		text, err := io.ReadAll(peer)
		if err != nil {
			t.Error(err)
		}
		read <- string(text)
	}()
	q.end()
	if got := q.Buffered(); got != 0 {
		t.Errorf("%d bytes are buffered at the end", got)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got := <-read; got != "irst\nsecond\n" {
		t.Errorf("the peer reads %q", got)
	}

	q = newQueue(c) // whose writes fail
	write("lost\n")
	<-q.done
	if _, err := io.WriteString(q, "more\n"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after a failed write, Write returns %v", err)
	}
}
