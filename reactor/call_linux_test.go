package reactor

import (
	"fmt"
	"testing"
	"time"

	"github.com/netring-go/netring/reactor/engine"
)

// Every change of a call's state that the table names is possible, and no other.
func TestCallStates(t *testing.T) {
	// The table in callState's comment.
	table := map[[2]callState]bool{
		{callIdle, callQueued}: true, {callIdle, callDirect}: true, {callIdle, callWaiting}: true, {callIdle, callPolling}: true,
		{callWaiting, callQueued}: true, {callWaiting, callRecheck}: true, {callWaiting, callIdle}: true,
		{callPolling, callRecheck}: true, {callPolling, callIdle}: true,
		{callQueued, callIdle}: true, {callQueued, callWaiting}: true,
		{callDirect, callIdle}: true, {callDirect, callWaiting}: true,
		{callRecheck, callIdle}: true,
	}
	for from := range callStates {
		for to := range callStates {
			s := from
			refused := func() (refused bool) {
				defer func() { refused = recover() != nil }()
				s.move(to)
				return false
			}()
			if want := table[[2]callState{from, to}]; refused == want || !refused && s != to || refused && s != from {
				t.Errorf("%v to %v: refused %v, now %v", from, to, refused, s)
			}
		}
	}
}

// What happens to a call leads from each state where the table says.
func TestWaiterTransitions(t *testing.T) {
	r := newReactor(t, engine.Syscall)
	var w waiter
	in := func(state callState) *waiter {
		w = waiter{state: state}
		return &w
	}
	passed := time.Now().Add(-time.Second)
	for _, c := range []struct {
		what string
		do   func(w *waiter) bool
		// The states after it, from each state: "" is the same.
		to   [callStates]string
		told [callStates]bool // what do reports
	}{
		{"an event", (*waiter).event,
			[callStates]string{}, [callStates]bool{callWaiting: true, callPolling: true}},
		{"recheck", (*waiter).recheck,
			[callStates]string{callWaiting: "recheck", callPolling: "recheck"}, [callStates]bool{callWaiting: true, callPolling: true}},
		{"the goroutine looks", (*waiter).rechecks,
			[callStates]string{callRecheck: "idle"}, [callStates]bool{callRecheck: true}},
		{"a deadline in the past", func(w *waiter) bool { return w.setDeadline(r, passed) },
			[callStates]string{callWaiting: "idle", callPolling: "idle"}, [callStates]bool{callWaiting: true, callPolling: true}},
		{"no deadline", func(w *waiter) bool { return w.setDeadline(r, time.Time{}) },
			[callStates]string{}, [callStates]bool{}},
		{"Close", func(w *waiter) bool { return w.interrupt(r) },
			[callStates]string{callWaiting: "idle", callPolling: "idle"}, [callStates]bool{callWaiting: true, callPolling: true}},
	} {
		for from := range callStates {
			w := in(from)
			told := c.do(w)
			want := c.to[from]
			if want == "" {
				want = from.String()
			}
			if fmt.Sprint(w.state) != want || told != c.told[from] {
				t.Errorf("%s of a call that is %v: it is %v, told %v; want %s, %v", c.what, from, w.state, told, want, c.told[from])
			}
		}
	}
}
