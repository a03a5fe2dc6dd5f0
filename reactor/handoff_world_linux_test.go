package reactor

import "fmt"

const (
	maxConns  = 3
	maxActors = 8
)

// world is the state of a run: a plain value, which is copied before each step. What is
// not in use is zero, so that two equal states are equal values.
type world struct {
	h      simHandoff
	conns  [maxConns]simConn
	actors [maxActors]actor

	asleep      uint8 // Reactor.leader.asleep: the leader's side, plus 1
	reader      uint8 // the actor in a Read of the epoll descriptor, plus 1
	flag        bool  // Go's netpoller has seen the epoll descriptor become readable
	edge        bool  // it has become readable, and the netpoller has not seen it yet
	interrupted bool  // alarms.interrupted: the epoll descriptor's deadline is in the past
	late        bool  // the time of all deadlines has passed
	freed       bool  // Reactor.free has been called
}

// simHandoff is a handoff.
type simHandoff struct {
	fields  [numFields]int8
	pending [5]opID
	mu      uint8 // the actor that holds it, plus 1
	left    bool
}

// simConn is an FD with its socket.
type simConn struct {
	sides  [2]simSide // reading and writing
	lock   uint8      // mu: the actor that holds it between two steps, plus 1
	co     simBuffer
	closes bool // closing
	gaveUp bool // coalescer.abandoned
	holds  int8 // holders

	data     int8 // to be received
	room     int8 // for what is sent
	sent     int8
	answered int8 // of what was sent, by the peer
	listed   bool // there is an event to be collected
	urgent   bool // which says that there are data even if there are none
}

// simSide is one direction of an FD.
type simSide struct {
	state  callState
	token  uint8
	ready  bool
	since  bool // an event has come since the op was queued: its epoch is not the side's
	timed  bool // its deadline is the time at which world.late becomes true
	past   bool // its deadline is in the past
	alarm  uint8
	result simResult
	unsent int8 // of a Write
}

// simBuffer is a coalescer.
type simBuffer struct {
	state    callState
	buf, out int8
	since    bool // as in simSide
	failed   bool
}

// The states of a token. While it is owed, its goroutine has been taken off it by put,
// and can go on after ready.
const (
	tokenAbsent uint8 = iota
	tokenPresent
	tokenSleeper
	tokenOwed
	tokenReady
)

// The states of an alarm.
const (
	alarmOff uint8 = iota
	alarmSet
	alarmRings // on its way to its owner
)

// simResult is how a call has ended.
type simResult uint8

const (
	resultNone    simResult = iota
	resultPending           // it has not
	resultDone
	resultTimeout
	resultClosed
)

// opID names an op: 1 to 2*maxConns are those of the sides, the rest those of the
// coalescers. 0 is none.
type opID uint8

func sideOp(s uint8) opID    { return opID(s) + 1 }
func bufferOp(c uint8) opID  { return opID(c) + 1 + 2*maxConns }
func (o opID) buffers() bool { return o > 2*maxConns }

// sends says that o is a Write's.
func (o opID) sends() bool { return o != 0 && !o.buffers() && o%2 == 0 }

// receives says that o is a Read's.
func (o opID) receives() bool { return !o.buffers() && o%2 == 1 }

// side returns the side that o belongs to.
func (o opID) side() uint8 { return uint8(o) - 1 }

func (o opID) conn() uint8 {
	if o.buffers() {
		return uint8(o) - 1 - 2*maxConns
	}
	return uint8(o-1) / 2
}

// actor is a goroutine, or somebody outside the process.
type actor struct {
	todo [12]task // a stack: what it does next is on top
	n    uint8
	line uint8 // of its script

	// In a method of handoff: the next instruction, and the registers.
	at   uint8
	regs [numRegs]int8

	param int8    // for the next method
	ops   [3]opID // for the next method, or from events
	res   int8    // of the last method
	role  role

	batch   [2]opID
	answers [2]int8         // what the kernel said: 0 is EAGAIN, else see engine
	found   [maxConns]uint8 // events
	slept   bool            // loopWait.verdict is sleep
	err     bool            // the wait ended with an error
	others  bool            // as in Reactor.lead
}

// task is something to be done, with what.
type task struct {
	do verb
	x  uint8
}

// role says who is a watcher.
type role uint8

const (
	roleNone role = iota
	roleLeader
	roleLoop
	roleStarter // it was told to start the loop, and has not done so yet
)

const (
	eventIn uint8 = 1 << iota
	eventOut
)

func (w *world) side(s uint8) *simSide { return &w.conns[s/2].sides[s%2] }

// expired is waiter.expired.
func (w *world) expired(s *simSide) bool { return s.past || s.timed && w.late }

// overdue says that the deadline of the epoll descriptor has passed.
func (w *world) overdue() bool {
	if w.interrupted {
		return true
	}
	for c := range w.conns {
		for s := range w.conns[c].sides {
			if w.late && w.conns[c].sides[s].alarm == alarmSet {
				return true
			}
		}
	}
	return false
}

// wait is waiter.wait.
func (s *simSide) wait(state callState) {
	s.state.move(state)
	if (s.timed || s.past) && s.alarm == alarmOff {
		s.alarm = alarmSet
	}
}

// rechecks is waiter.rechecks.
func (s *simSide) rechecks() {
	if s.state == callRecheck {
		s.state.move(callIdle)
	}
}

// settle ends the call.
func (s *simSide) settle(r simResult) {
	s.state.move(callIdle)
	s.since = false
	s.result = r
}

// enqueue is FD.enqueue.
func (c *simConn) enqueue(s *simSide) {
	s.state.move(callQueued)
	s.since = false
	c.holds++
}

// event is waiter.event.
func (c *simConn) event(s *simSide) (waited bool) {
	s.ready = true
	if s.state == callQueued {
		s.since = true
	}
	if s == &c.sides[1] && c.co.state == callQueued {
		c.co.since = true
	}
	return s.state.asleep()
}

// fail is coalescer.fail.
func (c *simConn) fail() {
	c.co.failed = true
	c.co.buf, c.co.out = 0, 0
}

// end is coalescer.end.
func (c *simConn) end() {
	c.co = simBuffer{failed: c.co.failed}
	c.holds--
}

func (o opID) String() string {
	name := string('A' + rune(o.conn()))
	switch {
	case o == 0:
		return "none"
	case o.buffers():
		return name + ".flush"
	case o%2 == 1:
		return name + ".recv"
	}
	return name + ".send"
}

func sideName(s uint8) string { return fmt.Sprintf("%c.%s", 'A'+s/2, [2]string{"read", "write"}[s%2]) }
