package reactor

import (
	"fmt"
	"testing"
)

// The test below runs the real handoff, one critical section at a time, in
// every order that the goroutines involved could run them in, and checks that
// each op is run exactly once and that nobody is left asleep.
//
// A world holds the state of one run. Each actor is a small program whose steps
// are what the real code does between two points where another goroutine may
// come in between; each step returns the next one, or nil at the end.

type step func(w *world) step

type world struct {
	h        handoff
	ops      []*op
	runs     map[*op]int
	again    map[*op]int // how often running the op queues it once more (a short write)
	inKernel []*op       // events not yet collected: each queues its op
	flag     bool        // the netpoller's readiness flag of the epoll descriptor
	kicked   bool        // the deadline that kick sets
	asleep   bool        // the reactor waits in the netpoller
}

func (w *world) run(o *op) {
	w.runs[o]++
	if w.again[o] > 0 {
		w.again[o]--
		w.h.requeue(o)
	}
}

// pusher is Reactor.submit.
func pusher(o *op, rounds int) step {
	var drain func(round int) step
	drain = func(round int) step {
		return func(w *world) step {
			if w.h.length() == 0 {
				return nil
			}
			if round == rounds {
				return func(w *world) step {
					w.h.wake()
					return func(w *world) step { w.kicked = true; return nil }
				}
			}
			return func(w *world) step {
				var buf [2]*op
				batch := w.h.take(buf[:], 1<<20)
				return func(w *world) step {
					for _, o := range batch {
						w.run(o)
					}
					return drain(round + 1)
				}
			}
		}
	}
	return func(w *world) step {
		if !w.h.push(o) {
			return nil
		}
		return func(w *world) step { w.run(o); return drain(0) }
	}
}

// event is a packet that makes the socket of o ready while its reader waits.
func event(o *op) step {
	return func(w *world) step {
		w.inKernel = append(w.inKernel, o)
		w.flag = true
		return nil
	}
}

// reactorLoop is Reactor.loop with Reactor.wait. It ends, for the test, when it
// goes to sleep and nothing can wake it any more; the explorer sees to that.
func reactorLoop(w *world) step {
	collect := func(w *world) []*op {
		got := w.inKernel
		w.inKernel = nil
		return got
	}
	var runBatch step = func(w *world) step {
		var buf [2]*op
		batch := w.h.take(buf[:], 1<<20)
		return func(w *world) step {
			for _, o := range batch {
				w.run(o)
			}
			return reactorLoop
		}
	}
	if w.h.length() > 0 {
		return runBatch
	}
	parked := false
	var woken step = func(w *world) step { // the wait is over
		if parked {
			w.h.wake()
		}
		return func(w *world) step { w.kicked = false; return runBatch }
	}
	var found []*op
	var dispatch step = func(w *world) step {
		if parked {
			w.h.wake()
		}
		return func(w *world) step { w.h.requeue(found...); return runBatch }
	}
	var look, sleep step
	look = func(w *world) step {
		if found = collect(w); len(found) > 0 {
			return dispatch
		}
		if parked {
			return sleep
		}
		return func(w *world) step {
			if !w.h.park() {
				return runBatch
			}
			parked = true
			return sleep
		}
	}
	sleep = func(w *world) step {
		if w.kicked {
			w.asleep = false
			return woken
		}
		if w.flag {
			w.asleep, w.flag = false, false
			return look
		}
		w.asleep = true
		return sleep // runnable again once flag or kicked is set
	}
	return func(w *world) step { // RawConn.Read: the flag is cleared first
		if w.kicked {
			return woken
		}
		w.flag = false
		return look
	}
}

// explore runs every interleaving of the actors that start makes, by depth-first
// search over the choices of who goes next. Since steps change the world, each
// schedule is run from the start.
func explore(t *testing.T, start func() (*world, []step)) (schedules int) {
	var choices []int // the schedule under way
	var options []int // how many choices there were at each point
	for {
		w, actors := start()
		for depth := 0; ; depth++ {
			var can []int
			for i, s := range actors {
				if s == nil || i == 0 && w.asleep && !w.flag && !w.kicked {
					continue
				}
				can = append(can, i)
			}
			if len(can) == 0 {
				break
			}
			if depth > 200 {
				t.Fatalf("schedule %v does not end", choices)
			}
			if depth == len(choices) {
				choices, options = append(choices, 0), append(options, len(can))
			}
			i := can[choices[depth]]
			actors[i] = actors[i](w)
		}
		schedules++
		for i, o := range w.ops {
			if w.runs[o] == 0 || w.again[o] > 0 {
				t.Fatalf("schedule %v: op %d was left behind, after %d runs", choices, i, w.runs[o])
			}
		}
		if w.h.length() > 0 || !w.asleep || w.h.running {
			t.Fatalf("schedule %v ends with %d ops pending, asleep %v, running %v", choices, w.h.length(), w.asleep, w.h.running)
		}
		// The next schedule: the last point with a choice left.
		for len(choices) > 0 && choices[len(choices)-1] == options[len(options)-1]-1 {
			choices, options = choices[:len(choices)-1], options[:len(options)-1]
		}
		if len(choices) == 0 {
			return schedules
		}
		choices[len(choices)-1]++
	}
}

func TestHandoffInterleavings(t *testing.T) {
	for _, tc := range []struct {
		pushes, events, again, rounds int
	}{
		{pushes: 1, events: 0, again: 0, rounds: 4},
		{pushes: 0, events: 1, again: 0, rounds: 4},
		{pushes: 0, events: 2, again: 0, rounds: 4},
		{pushes: 1, events: 0, again: 2, rounds: 4},
		{pushes: 1, events: 0, again: 2, rounds: 1}, // hands over to the reactor
		{pushes: 1, events: 1, again: 0, rounds: 4},
		{pushes: 2, events: 0, again: 0, rounds: 4},
		{pushes: 1, events: 1, again: 1, rounds: 0},
	} {
		t.Run(fmt.Sprintf("%+v", tc), func(t *testing.T) {
			n := explore(t, func() (*world, []step) {
				w := &world{runs: map[*op]int{}, again: map[*op]int{}}
				w.h.running = true
				actors := []step{reactorLoop}
				for i := range tc.pushes + tc.events {
					o := new(op)
					w.ops = append(w.ops, o)
					if i < tc.pushes {
						w.again[o] = tc.again
						actors = append(actors, pusher(o, tc.rounds))
					} else {
						actors = append(actors, event(o))
					}
				}
				return w, actors
			})
			if n < 2 {
				t.Errorf("only %d schedules: the test does not explore", n)
			}
			t.Logf("%d schedules", n)
		})
	}
}

func TestHandoffTakeBounds(t *testing.T) {
	var h handoff
	var ops []*op
	for i := range 5 {
		ops = append(ops, &op{buf: make([]byte, 100*(i+1))})
	}
	h.requeue(ops...)
	var buf [4]*op
	for i, want := range [][]*op{ops[:2], ops[2:3], ops[3:4], ops[4:]} {
		got := h.take(buf[:], 400)
		if i == 2 { // op 3 alone is 400 bytes, op 4 alone is above the limit but goes all the same
			want = ops[3:4]
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("take %d: got %d ops, want %d", i, len(got), len(want))
		}
	}
	if n := h.length(); n != 0 {
		t.Errorf("%d ops left", n)
	}
	if got := h.take(buf[:], 400); len(got) != 0 {
		t.Errorf("took %d ops from an empty queue", len(got))
	}
}
