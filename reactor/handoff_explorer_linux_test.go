package reactor

import (
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"strings"
)

// explorer runs a scenario in every order that its goroutines could run in. It executes
// the methods of handoff, and simulates what is around them: the calls, the watchers,
// the kernel, Go's netpoller and the peers.
//
// It visits each state once, breadth first, so the schedule that it reports for a
// failure is a shortest one. It knows a state again by a hash of 64 bits.
type explorer struct {
	sc      scenario
	fault   fault
	methods [len(methodNames)][]instr
	// compared has the calls that the compiled methods answer like the translated ones. It
	// is nil if what was translated is not what was compiled.
	compared map[comparison]bool
	buffers  bool // there are buffered writes
	turn     turn // the one under way

	failure       string // what is wrong
	states, steps int    // how many there were

	trace bool
	note  string // what a step did, if trace is set
}

// fault is something left out of the simulated code.
type fault uint8

const (
	faultNone        fault = iota
	faultEnsure            // runInline does not call ensure
	faultAsleep            // notify does not look at asleep
	faultRoomWaiters       // flushed does not count in roomWaiters
	faultToken             // leaderLook does not look at the token
	faultLateReset         // the netpoller's flag is cleared after the look
	faultEpoch             // exhausted ignores events that came meanwhile
	faultStay              // a leader in a bubble does not take back its recall
	faultStandIn           // standIn has nobody recheck
)

// failf notes what is wrong.
func (x *explorer) failf(format string, args ...any) {
	if x.failure == "" {
		x.failure = fmt.Sprintf(format, args...)
	}
}

// newExplorer makes an explorer of sc. edited, if it is not nil, replaces handoff's
// source.
func newExplorer(sc scenario, f fault, edited []byte) (*explorer, error) {
	x := &explorer{sc: sc, fault: f}
	source := edited
	if edited == nil {
		var err error
		if source, err = os.ReadFile("handoff_linux.go"); err != nil {
			return nil, err
		}
		x.compared = make(map[comparison]bool)
	}
	code, err := translate(source, methodNames[:])
	if err != nil {
		return nil, err
	}
	if len(sc.actors)+maxLoops > maxActors || sc.conns > maxConns {
		return nil, fmt.Errorf("the scenario %q is larger than a world", sc.name)
	}
	copy(x.methods[:], code)
	for _, s := range sc.actors {
		for _, k := range s.tasks {
			x.buffers = x.buffers || k.do == toStartWrite
		}
	}
	return x, nil
}

// newWorld returns the state before the first step.
func (x *explorer) newWorld() *world {
	w := new(world)
	for i := range x.sc.conns {
		w.conns[i].sides[1].ready = true
	}
	if x.sc.init != nil {
		x.sc.init(w)
	}
	for i := range x.sc.actors {
		t := &turn{explorer: x, w: w, a: &w.actors[i], i: i}
		t.settle()
	}
	for moved := x.sc.ahead > 0; moved; {
		moved = false
		for i := range maxActors {
			if i >= x.sc.ahead && i < len(x.sc.actors) {
				continue
			}
			for {
				before := *w
				if !x.step(w, i) {
					*w = before
					break
				}
				moved = true
			}
		}
	}
	return w
}

// from says how a state was reached.
type from struct {
	state int32
	actor uint8
}

// explore visits all states. It returns the error found and the schedule that leads to
// it.
func (x *explorer) explore() (failure string, schedule []string) {
	type found struct {
		w  world
		id int32
	}
	seed := maphash.MakeSeed()
	start := x.newWorld()
	first := *start
	visited := map[uint64]int32{maphash.Comparable(seed, first): 0}
	origin := []from{{}}
	var edges []edge
	var final []int32
	level := []found{{first, 0}}
	var next []found
	var w world
	for len(level) > 0 {
		next = next[:0]
		for k := range level {
			here := &level[k]
			stuck := true
			for i := range maxActors + 1 {
				if i < maxActors && here.w.actors[i].n == 0 || i == maxActors && !here.w.edge {
					continue
				}
				w = here.w
				if !x.step(&w, i) {
					continue
				}
				stuck = false
				x.steps++
				if x.failure == "" {
					x.check(&w)
				}
				if x.failure != "" {
					return x.failure, x.schedule(start, origin, here.id, i)
				}
				key := maphash.Comparable(seed, w)
				id, known := visited[key]
				if !known {
					if len(origin) == maxStates {
						return tooMany, x.schedule(start, origin, here.id, i)
					}
					id = int32(len(origin))
					visited[key] = id
					origin = append(origin, from{here.id, uint8(i)})
					next = append(next, found{w, id})
				}
				edges = append(edges, edge{here.id, id})
			}
			if stuck {
				final = append(final, here.id)
				if x.checkFinal(&here.w); x.failure != "" {
					return x.failure, x.schedule(start, origin, here.id, -1)
				}
			}
		}
		level, next = next, level
	}
	x.states = len(origin)
	if id := unending(len(origin), edges, final); id >= 0 {
		return "this can go on for ever", x.schedule(start, origin, id, -1)
	}
	return "", nil
}

// maxStates bounds the memory that a scenario takes.
const maxStates = 3_000_000

// tooMany is the failure of a scenario with more states.
const tooMany = "there are too many states"

// edge is a step from a state to another.
type edge struct{ from, to int32 }

// unending returns a state from which no final one can be reached, -1 if there is none.
func unending(states int, edges []edge, final []int32) int32 {
	// in[first[s]:first[s+1]] are the states one step before s.
	first := make([]int32, states+1)
	for _, e := range edges {
		first[e.to+1]++
	}
	for s := range states {
		first[s+1] += first[s]
	}
	in, at := make([]int32, len(edges)), append([]int32(nil), first...)
	for _, e := range edges {
		in[at[e.to]] = e.from
		at[e.to]++
	}
	ends := make([]bool, states)
	todo := final
	for _, s := range todo {
		ends[s] = true
	}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, b := range in[first[s]:first[s+1]] {
			if !ends[b] {
				ends[b] = true
				todo = append(todo, b)
			}
		}
	}
	for s, ok := range ends {
		if !ok {
			return int32(s)
		}
	}
	return -1
}

// schedule returns the steps that lead to a state, and one more unless last is negative.
func (x *explorer) schedule(w *world, origin []from, state int32, last int) (steps []string) {
	var actors []int
	for s := state; s != 0; s = origin[s].state {
		actors = append(actors, int(origin[s].actor))
	}
	slices.Reverse(actors)
	if last >= 0 {
		actors = append(actors, last)
	}
	failure := x.failure
	defer func() { x.trace, x.failure = false, failure }()
	x.trace = true
	for i := range x.sc.ahead {
		steps = append(steps, fmt.Sprintf("     %-10s has gone as far as it can", x.sc.actors[i].name))
	}
	again := *w
	for n, i := range actors {
		x.step(&again, i)
		steps = append(steps, fmt.Sprintf("%3d  %-10s %s%s", n+1, x.nameOf(i), x.note, again.h.summary()))
	}
	return steps
}

// nameOf names an actor.
func (x *explorer) nameOf(i int) string {
	switch n := len(x.sc.actors); {
	case i < n:
		return x.sc.actors[i].name
	case i == maxActors:
		return "runtime"
	default:
		return fmt.Sprintf("loop %d", i-n+1)
	}
}

// summary shows the fields of a handoff.
func (s *simHandoff) summary() string {
	var b strings.Builder
	b.WriteString("  {")
	switch s.watched() {
	case watchedByNobody:
		b.WriteString("nobody")
	case watchedByLeader:
		b.WriteString("leader")
	case watchedByLoop:
		b.WriteString("loop")
	}
	for _, f := range []field{fieldRunning, fieldRecalled, fieldClosing} {
		if s.fields[f] != 0 {
			b.WriteString(" " + fieldNames[f])
		}
	}
	fmt.Fprintf(&b, " parked %d", s.fields[fieldParked])
	if n := s.fields[fieldRoomWaiters]; n != 0 {
		fmt.Fprintf(&b, " roomWaiters %d", n)
	}
	for _, o := range s.pending {
		if o != 0 {
			b.WriteString(" " + o.String())
		}
	}
	b.WriteString("}")
	return b.String()
}
