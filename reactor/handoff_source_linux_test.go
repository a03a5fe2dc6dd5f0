package reactor

import (
	"fmt"
	gotoken "go/token"
)

// The explorer must stop a method of handoff between any two accesses to what other
// goroutines access without mu: rule 4 is about their order. Compiled code cannot be
// stopped there. So the explorer reads handoff_linux.go, translates the methods to the
// instructions below and executes those. To be sure that they mean the same, it
// compares each whole call with the compiled method, see explorer.compare.
//
// The translation knows as much of Go as handoff's methods use and refuses the rest.

// field is a field of handoff whose value is a number.
type field uint8

const (
	fieldWatcher field = iota
	fieldRecalled
	fieldParked
	fieldRoomWaiters
	fieldRunning // mu guards this and the rest
	fieldClosing
	numFields
)

var fieldNames = [numFields]string{"watcher", "recalled", "parked", "roomWaiters", "running", "closing"}

// atomic reports whether f may be accessed without mu.
func (f field) atomic() bool { return f <= fieldRoomWaiters }

// opcode is what an instr does.
type opcode uint8

const (
	doLock   opcode = iota // mu.Lock
	doUnlock               // mu.Unlock
	doLoad                 // dst = field
	doStore                // field = a
	doAdd                  // field += a; dst = field
	doMove                 // dst = a
	doLen                  // dst = pending.len()
	doPush                 // pending.push(ops...)
	doTake                 // pending.take(batch, maxBytes)
	doPut                  // left.give()
	doJump                 // goto to
	doCmp                  // if a cmp b, goto to
	doReturn               // the method's result is a
)

// operand is a constant or, if reg is set, a register.
type operand struct {
	reg bool
	n   int8
}

// numRegs is how many registers a method may use, with those it calls.
const numRegs = 6

// instr is one instruction of a method.
type instr struct {
	do    opcode
	field field
	cmp   gotoken.Token
	a, b  operand
	dst   int8
	to    int
	live  int8 // how many registers are in use before it
}

// accesses reports whether in accesses a field that others access without mu.
func (in *instr) accesses() bool {
	return doLoad <= in.do && in.do <= doAdd && in.field.atomic()
}

// plain reports whether in accesses a field that mu guards.
func (in *instr) plain() bool {
	return doLoad <= in.do && in.do <= doAdd && !in.field.atomic()
}

func (in *instr) String() string {
	switch in.do {
	case doLock:
		return "mu.Lock"
	case doLoad:
		return fieldNames[in.field] + ".Load"
	case doStore:
		return fieldNames[in.field] + ".Store"
	case doAdd:
		return fieldNames[in.field] + ".Add"
	}
	return fmt.Sprintf("instruction %d", in.do)
}
