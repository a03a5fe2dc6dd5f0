package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

const (
	clients = 500
	talkers = 5  // of the clients
	rounds  = 6  // after each round, all clients must have all lines
	lines   = 10 // of a talker, in a round
)

// filler makes lines so long that the lines of a round fit in the outbox, and those of
// all rounds do not fit in the outbox and the socket's buffers.
var filler = strings.Repeat("~", 1000)

// said returns a line as the clients read it.
func said(name string, n int) string { return fmt.Sprintf("%s: %d %s\n", name, n, filler) }

// client is a client that has joined.
type client struct {
	*net.TCPConn
	name string
	got  []byte // everything after the greeting
}

func join(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(60 * time.Second))
	cl := &client{TCPConn: c.(*net.TCPConn)}
	greeting, err := cl.readLine()
	if err != nil {
		t.Fatal(err)
	}
	name, ok := strings.CutPrefix(greeting, "* you are ")
	if !ok {
		t.Fatalf("the greeting is %q", greeting)
	}
	cl.name = strings.TrimSpace(name)
	return cl
}

// readLine reads a line, and no byte more from the socket.
func (c *client) readLine() (string, error) {
	var line []byte
	for {
		b := make([]byte, 1)
		if _, err := io.ReadFull(c.TCPConn, b); err != nil {
			return string(line), err
		}
		line = append(line, b[0])
		if b[0] == '\n' {
			return string(line), nil
		}
	}
}

// listen reads n bytes.
func (c *client) listen(n int) error {
	had := len(c.got)
	c.got = append(c.got, make([]byte, n)...)
	if n, err := io.ReadFull(c, c.got[had:]); err != nil {
		return fmt.Errorf("%s, after %d bytes: %w", c.name, had+n, err)
	}
	return nil
}

// talk writes the lines of a round.
func (c *client) talk(round int) error {
	for i := range lines {
		if _, err := fmt.Fprintf(c, "%d %s\n", round*lines+i, filler); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// converse runs a round: some clients talk, and all listen.
func converse(t *testing.T, all []*client, round int) {
	t.Helper()
	size := 0
	for _, c := range all[:talkers] {
		for i := range lines {
			size += len(said(c.name, round*lines+i))
		}
	}
	errs := make(chan error, clients+talkers)
	var wg sync.WaitGroup
	for i, c := range all {
		if i < talkers {
			wg.Go(func() { errs <- c.talk(round) })
		}
		wg.Go(func() { errs <- c.listen(size) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkOrder checks that a client got all lines of each talker, in their order.
func checkOrder(t *testing.T, all []*client) {
	t.Helper()
	next := map[string]int{}
	for line := range strings.Lines(string(all[0].got)) {
		name, _, _ := strings.Cut(line, ":")
		if want := said(name, next[name]); line != want {
			t.Fatalf("a client reads %q, want %q", line, want)
		}
		next[name]++
	}
	for _, c := range all[:talkers] {
		if next[c.name] != rounds*lines {
			t.Errorf("a client reads %d lines of %s, want %d", next[c.name], c.name, rounds*lines)
		}
	}
}

// All clients read the same, while one reads nothing and is dropped.
func TestExample(t *testing.T) {
	exampletest.Each(t, func(t *testing.T, args []string) {
		e := exampletest.Start(t, exampletest.Command(t, args...))
		e.CheckEngine(t, args)
		slow := join(t, e.Addr)
		if err := slow.SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		var all []*client
		for range clients {
			all = append(all, join(t, e.Addr))
		}
		for round := range rounds {
			converse(t, all, round)
		}
		checkOrder(t, all)
		for _, c := range all[1:] {
			if !bytes.Equal(c.got, all[0].got) {
				t.Errorf("%s and %s read different lines", all[0].name, c.name)
			}
		}
		checkDropped(t, slow, all[0].got)
		for _, c := range all {
			c.Close()
		}
		if stderr := e.Stop(t, syscall.SIGTERM); strings.Count(stderr, "dropped") != 1 || !strings.Contains(stderr, slow.name+",") {
			t.Errorf("it should drop %s and nobody else; it reports %q", slow.name, stderr)
		}
	})
}

// checkDropped checks that c was dropped, and read a part of what was said until then.
func checkDropped(t *testing.T, c *client, all []byte) {
	t.Helper()
	got, err := io.ReadAll(c)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the slow client's connection ends with %v, want a reset", err)
	}
	if len(got) >= len(all) || !bytes.HasPrefix(all, got) {
		t.Errorf("the slow client reads %d bytes of %d, or others", len(got), len(all))
	}
}

func TestFlags(t *testing.T) {
	// A client that half-closes still gets its lines.
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		c := join(t, e.Addr)
		if _, err := io.WriteString(c, "one\ntwo\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%s: one\n%s: two\n", c.name, c.name)
		if got, err := io.ReadAll(c); string(got) != want || err != nil {
			t.Errorf("the client reads %q, %v, want %q", got, err, want)
		}
	})
}

// A line that is too long ends the connection.
func TestLongLine(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	c := join(t, e.Addr)
	if _, err := io.WriteString(c, strings.Repeat("x", maxLine+1)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); len(got) != 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client reads %q, %v", got, err)
	}
	if stderr := e.Stop(t, syscall.SIGTERM); !strings.Contains(stderr, "token too long") {
		t.Errorf("the example reports %q", stderr)
	}
}
