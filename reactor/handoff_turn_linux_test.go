package reactor

import "fmt"

// turn is a step of an actor.
type turn struct {
	*explorer
	w       *world
	a       *actor
	i       int
	spawned int // the actor that has been started, plus 1
}

func (t *turn) conn(i uint8) *simConn { return &t.w.conns[i] }

func (t *turn) bubble() bool { return t.i < len(t.sc.actors) && t.sc.actors[t.i].bubble }

// then puts tasks on the actor's stack, the first on top.
func (t *turn) then(tasks ...task) {
	for k := len(tasks) - 1; k >= 0; k-- {
		t.a.todo[t.a.n] = tasks[k]
		t.a.n++
	}
}

func (t *turn) pop() (k task) {
	t.a.n--
	k = t.a.todo[t.a.n]
	t.a.todo[t.a.n] = task{}
	return k
}

// maxLoops bounds the loops that are there at once: one that watches, and those that
// have ended and have calls recheck. Without a bound, the latter could become ever more.
const maxLoops = 2

// slot returns a place for a loop, nil if there is none.
func (t *turn) slot() (i int, l *actor) {
	for i := len(t.sc.actors); i < min(len(t.sc.actors)+maxLoops, maxActors); i++ {
		if l := &t.w.actors[i]; l.n == 0 {
			return i, l
		}
	}
	return 0, nil
}

// spawn starts the loop's goroutine.
func (t *turn) spawn(uint8) {
	i, l := t.slot()
	t.a.role, l.role = roleNone, roleLoop
	l.todo[0], l.n = task{do: toRunLoop}, 1
	t.spawned = i + 1
}

// step has actor i of w do one atomic action. It reports whether that is not blocked,
// and may have changed w even if it is.
func (x *explorer) step(w *world, i int) (enabled bool) {
	if i == maxActors { // the netpoller
		enabled = w.edge
		w.flag, w.edge = true, false
		x.say("the netpoller sets the flag")
		return enabled
	}
	t := &x.turn
	t.explorer, t.w, t.a, t.i, t.spawned = x, w, &w.actors[i], i, 0
	if t.a.n == 0 {
		return false
	}
	k := t.a.todo[t.a.n-1]
	if k.do == toMethod {
		if !t.runMethod(k.x) {
			return false
		}
	} else {
		if !t.can(k) {
			return false
		}
		if x.trace {
			x.note = t.describe(k)
		}
		t.pop()
		actions[k.do].do(t, k.x)
	}
	t.settle()
	if t.spawned > 0 {
		t.i = t.spawned - 1
		t.a = &w.actors[t.i]
		t.settle()
	}
	return true
}

func (x *explorer) say(format string, args ...any) {
	if x.trace {
		x.note = fmt.Sprintf(format, args...)
	}
}

// settle does what is local, so that the next task is an action.
func (t *turn) settle() {
	for {
		switch {
		case t.a.n > 0:
			k := t.a.todo[t.a.n-1]
			if k.do == toMethod || actions[k.do].name != "" {
				return
			}
			t.pop()
			actions[k.do].do(t, k.x)
		case t.i >= len(t.sc.actors):
			*t.a = actor{} // a loop that has ended
			return
		case int(t.a.line) == len(t.sc.actors[t.i].tasks):
			return
		default:
			t.then(t.sc.actors[t.i].tasks[t.a.line])
			t.a.line++
		}
	}
}
