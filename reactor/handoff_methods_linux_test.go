package reactor

import gotoken "go/token"

// This file executes the methods of handoff, one atomic action at a time, and compares
// them with the compiled ones.

// methodNames are the methods of handoff that the actors call.
var methodNames = [...]string{
	"push", "requeue", "add", "take", "length", "hasMore", "resume", "decide", "stepDown", "lead", "stay", "leave",
	"ensure", "woken", "foundRoom", "close", "park", "retire",
}

// method is the task of calling a method of handoff.
func (t *turn) method(name string) task {
	for i, n := range methodNames {
		if n == name {
			return task{toMethod, uint8(i)}
		}
	}
	panic("no method " + name)
}

// result takes the last method's.
func (t *turn) result() (res int8) {
	res, t.a.res = t.a.res, 0
	return res
}

// runMethod runs the method on top of the stack up to the next access to what others
// access, too.
func (t *turn) runMethod(m uint8) (enabled bool) {
	h, a, code := &t.w.h, t.a, t.methods[m]
	if a.at == 0 {
		a.regs[0] = a.param
		if t.compared != nil && h.mu == 0 {
			t.compare(m)
		}
	}
	done, enabled := execute(h, a, code, uint8(t.i)+1, t.explorer)
	if t.trace {
		t.note = methodNames[m] + t.note
	}
	if enabled && done {
		t.returned(m)
	}
	return enabled
}

// execute executes instructions up to the next action, which is not the first, or to
// the end. me is who takes mu.
func execute(h *simHandoff, a *actor, code []instr, me uint8, x *explorer) (done, enabled bool) {
	acted := false
	if x.trace {
		x.note = ""
	}
	for {
		in := &code[a.at]
		if in.do == doLock || in.accesses() && x.visible(h, a, in, me) {
			if acted {
				clear(a.regs[in.live:])
				return false, true
			}
			if in.do == doLock && h.mu != 0 {
				return false, false
			}
			acted = in.do != doLock // the section is as late as the first access in it
			x.sayMore(in)
		}
		a.at++
		switch in.do {
		case doLock:
			h.mu = me
		case doUnlock:
			if h.mu != me {
				x.failf("mu is unlocked by somebody who has not locked it")
			}
			h.mu = 0
			acted = true
		case doLoad:
			a.regs[in.dst] = h.fields[in.field]
		case doStore:
			h.fields[in.field] = a.val(in.a)
		case doAdd:
			h.fields[in.field] += a.val(in.a)
			a.regs[in.dst] = h.fields[in.field]
		case doMove:
			a.regs[in.dst] = a.val(in.a)
		case doLen:
			a.regs[in.dst] = h.len()
		case doPush:
			x.push(h, a)
		case doTake:
			h.take(a)
		case doPut:
			if h.left {
				x.failf("left is owed two tokens")
			}
			h.left = true
		case doJump:
			a.at = uint8(in.to)
		case doCmp:
			if compares(a.val(in.a), a.val(in.b), in.cmp) {
				a.at = uint8(in.to)
			}
		case doReturn:
			a.res = a.val(in.a)
			a.at, a.param = 0, 0
			a.regs = [numRegs]int8{}
			return true, true
		}
		if in.plain() && h.mu != me {
			x.failf("%s is accessed without mu", fieldNames[in.field])
		}
		if in.do == doStore && in.field == fieldWatcher && h.mu != me {
			x.failf("watcher is changed without mu")
		}
	}
}

// visible reports whether others can tell when a executes in, an access to an atomic
// field.
func (x *explorer) visible(h *simHandoff, a *actor, in *instr, me uint8) bool {
	if x.sc.coarse && h.mu == me {
		return false
	}
	switch in.field {
	case fieldWatcher:
		return in.do != doLoad || h.mu != me // it changes under mu only
	case fieldRecalled:
		return a.role != roleLeader && h.fields[fieldWatcher] == int8(watchedByLeader) // the leader looks at it
	case fieldRoomWaiters:
		return x.buffers // else it does not change
	}
	return true
}

func (x *explorer) sayMore(in *instr) {
	if x.trace {
		x.note += ": " + in.String()
	}
}

func compares(a, b int8, by gotoken.Token) bool {
	switch by {
	case gotoken.EQL:
		return a == b
	case gotoken.NEQ:
		return a != b
	case gotoken.LSS:
		return a < b
	case gotoken.LEQ:
		return a <= b
	case gotoken.GTR:
		return a > b
	case gotoken.GEQ:
		return a >= b
	}
	panic("comparison " + by.String())
}

// The next ones are opQueue's.

func (h *simHandoff) len() (n int8) {
	for _, o := range h.pending {
		if o != 0 {
			n++
		}
	}
	return n
}

func (x *explorer) push(h *simHandoff, a *actor) {
	n := h.len()
	for k, o := range a.ops {
		if o == 0 {
			continue
		}
		if int(n) == len(h.pending) {
			x.failf("more ops are pending than a world has room for")
			return
		}
		h.pending[n] = o
		n++
		a.ops[k] = 0
	}
}

func (h *simHandoff) take(a *actor) {
	for k := range a.batch {
		a.batch[k] = h.pending[0]
		copy(h.pending[:], h.pending[1:])
		h.pending[len(h.pending)-1] = 0
	}
}

// watched is who watches.
func (s *simHandoff) watched() uint32 {
	switch who := uint32(s.fields[fieldWatcher]); who {
	case watchedByLeader, watchedByLoop:
		return who
	}
	return watchedByNobody
}

// val returns the value of o.
func (a *actor) val(o operand) int8 {
	if o.reg {
		return a.regs[o.n]
	}
	return o.n
}

// returned does what follows from the result of method m.
func (t *turn) returned(m uint8) {
	t.pop()
	a := t.a
	switch methodNames[m] {
	case "push", "add", "requeue":
		a.ops = [3]opID{}
		if methodNames[m] == "requeue" {
			a.res = 0
		}
	case "lead":
		if a.res != 0 {
			a.role = roleLeader
		}
	case "decide":
		if verdict(a.res) == end {
			a.role = roleNone
		}
	case "stepDown":
		if a.res != 0 {
			a.role = roleNone
		}
	case "leave":
		a.role = roleNone
	}
	h := &t.w.h
	switch methodNames[m] {
	case "add", "delegate": // rule 3
		recalled := h.watched() == watchedByLeader && h.fields[fieldRecalled] != 0
		if h.len() > 0 && h.fields[fieldRunning] == 0 && !recalled {
			t.failf("%s leaves an op to nobody", methodNames[m])
		}
	}
	switch methodNames[m] {
	case "add", "leave", "ensure", "woken", "foundRoom":
		if signal(a.res) == startLoop {
			if a.role != roleNone {
				t.failf("a watcher is told to start the loop")
			}
			a.role = roleStarter
		}
	}
}

// comparison is a call of a method of handoff.
type comparison struct {
	method uint8
	h      simHandoff
	ops    [3]opID
	param  int8
}

// compare runs a whole call of method m twice, as translated and as compiled.
func (t *turn) compare(m uint8) {
	call := comparison{m, t.w.h, t.a.ops, t.a.param}
	if t.compared[call] {
		return
	}
	t.compared[call] = true
	h, a := t.w.h, *t.a
	for {
		done, enabled := execute(&h, &a, t.methods[m], uint8(t.i)+1, &explorer{})
		if !enabled {
			t.failf("%s locks mu twice", methodNames[m])
		}
		if done || !enabled {
			break
		}
	}
	got, res, batch := compiled(call)
	if got != h || res != a.res || methodNames[m] == "take" && batch != a.batch {
		t.failf("%s(%d) of %+v: compiled, it returns %d and leaves %+v, translated %d and %+v", methodNames[m], call.param, call.h, res, got, a.res, h)
	}
}

// compiled calls a method of a real handoff.
func compiled(c comparison) (after simHandoff, res int8, batch [2]opID) {
	var table [3*maxConns + 1]op
	for i := range table {
		table[i].FD = int32(i)
	}
	ops := func(ids []opID) (list []*op) {
		for _, id := range ids {
			if id != 0 {
				list = append(list, &table[id])
			}
		}
		return list
	}
	var h handoff
	c.h.loadInto(&h, ops(c.h.pending[:]))
	number := func(b bool) int8 {
		if b {
			return 1
		}
		return 0
	}
	args := ops(c.ops[:])
	switch methodNames[c.method] {
	case "push":
		res = number(h.push(args...))
	case "requeue":
		h.requeue(args...)
	case "add":
		res = int8(h.add(args[0]))
	case "take":
		var buf [2]*op
		for i, o := range h.take(buf[:], 1) {
			batch[i] = opID(o.FD)
		}
	case "length":
		res = int8(h.length())
	case "hasMore":
		res = number(h.hasMore())
	case "park":
		res = number(h.park())
	case "retire":
		h.retire()
	case "resume":
		h.resume()
	case "decide":
		res = int8(h.decide())
	case "stepDown":
		res = number(h.stepDown())
	case "lead":
		res = number(h.lead())
	case "stay":
		h.stay()
	case "leave":
		res = int8(h.leave(c.param != 0))
	case "ensure":
		res = int8(h.ensure())
	case "woken":
		res = int8(h.woken())
	case "foundRoom":
		res = int8(h.foundRoom())
	case "close":
		res = number(h.close())
	}
	after.storeFrom(&h)
	return after, res, batch
}

// loadInto makes h what s says.
func (s *simHandoff) loadInto(h *handoff, pending []*op) {
	h.pending.push(pending...)
	h.watcher.Store(uint32(s.fields[fieldWatcher]))
	h.recalled.Store(s.fields[fieldRecalled] != 0)
	h.parked.Store(int32(s.fields[fieldParked]))
	h.roomWaiters.Store(int32(s.fields[fieldRoomWaiters]))
	h.running = s.fields[fieldRunning] != 0
	h.closing = s.fields[fieldClosing] != 0
	if s.left {
		h.left.put()
	}
}

// storeFrom makes s what h is.
func (s *simHandoff) storeFrom(h *handoff) {
	for i, o := range h.pending.ops[h.pending.head:] {
		s.pending[i] = opID(o.FD)
	}
	number := func(b bool) int8 {
		if b {
			return 1
		}
		return 0
	}
	s.fields = [numFields]int8{
		fieldWatcher:     int8(h.watcher.Load()),
		fieldRecalled:    number(h.recalled.Load()),
		fieldParked:      int8(h.parked.Load()),
		fieldRoomWaiters: int8(h.roomWaiters.Load()),
		fieldRunning:     number(h.running),
		fieldClosing:     number(h.closing),
	}
	s.left = h.left.has()
}
