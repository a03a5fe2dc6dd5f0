//go:build race

package netring

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// For the race detector, a Write happens before the Read of its bytes at the other end.
// This program has no race on package net. The detector would report a race here if
// netring did not publish that order.
func TestRow15RaceFree(t *testing.T) {
	for name, pair := range map[string]func(s *stack) (a, b net.Conn){
		"both ends": func(s *stack) (a, b net.Conn) { return s.pairBoth(t) },
		"one end":   func(s *stack) (a, b net.Conn) { return s.pair(t) },
		"other end": func(s *stack) (a, b net.Conn) { b, a = s.pair(t); return a, b },
	} {
		t.Run(name, func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				a, b := pair(s)
				var shared [100]int // a message hands over shared, without a lock
				buf := make([]byte, 700)
				var wg sync.WaitGroup
				wg.Go(func() {
					msg := make([]byte, 700)
					for i := range shared {
						shared[i] = i + 1
						size := []int{1, 100, 700}[i%3] // through shared buffers and directly
						msg[0] = byte(i)
						if _, err := a.Write(msg[:size]); err != nil {
							t.Error(err)
						}
						// After the answer, this goroutine may write msg and shared again.
						if _, err := a.Read(msg[:1]); err != nil {
							t.Error(err)
						}
						if shared[i] != -(i + 1) {
							t.Errorf("shared[%d] is %d", i, shared[i])
						}
					}
				})
				for i := range shared {
					size := []int{1, 100, 700}[i%3]
					for got := 0; got < size; {
						n, err := b.Read(buf[got:size])
						if err != nil {
							t.Fatal(err)
						}
						got += n
					}
					if shared[i] != i+1 {
						t.Errorf("shared[%d] is %d", i, shared[i])
					}
					shared[i] = -(i + 1)
					if _, err := b.Write(buf[:1]); err != nil {
						t.Fatal(err)
					}
				}
				wg.Wait()
			})
		})
	}
}

// The race detector reports a race on a buffer under Read, on a buffer under Write, and
// on memory that no message hands over.
func TestRow15RacesAreReported(t *testing.T) {
	if what, ok := isChild(); ok {
		raceProgram(t, what)
		return
	}
	for _, what := range []string{"read", "small read", "write", "writev", "memory", "none"} {
		t.Run(what, func(t *testing.T) {
			cmd := child(t, what)
			cmd.Args[2] = "^TestRow15RacesAreReported$"
			out, err := cmd.CombinedOutput()
			reported := strings.Contains(string(out), "DATA RACE")
			if reported != (what != "none") {
				t.Errorf("a race was reported: %v (%v)\n%s", reported, err, out)
			}
		})
	}
}

// raceProgram is the child. Its two goroutines synchronise only through the connection.
func raceProgram(t *testing.T, what string) {
	s := &stack{poller: newPoller(t, Config{Engine: EngineAuto})}
	a, b := s.pairBoth(t)
	buf := make([]byte, 1000)
	size := 1000
	if what == "small read" {
		size = 10
	}
	x := 0
	done := make(chan bool)
	go func() {
		defer close(done)
		switch what {
		case "read", "small read", "none":
			if _, err := a.Read(buf[:size]); err != nil {
				t.Error(err)
			}
		case "write":
			a.Write(buf)
		case "writev":
			a.(*Conn).Writev([][]byte{buf[:500], buf[500:]})
		case "memory":
			a.Read(buf)
			x++ // a race: this goroutine also writes x after the Write below
		}
	}()
	if what == "read" || what == "small read" || what == "none" || what == "memory" {
		if _, err := b.Write(make([]byte, size)); err != nil {
			t.Error(err)
		}
	}
	switch what {
	case "none":
		<-done
		buf[0]++
	case "memory":
		x++
	default:
		buf[0]++
	}
	<-done
}
