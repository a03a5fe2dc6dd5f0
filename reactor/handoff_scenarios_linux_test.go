package reactor

// scenario is who does what.
type scenario struct {
	name   string
	conns  int
	actors []script

	init     func(w *world) // changes what is not as newWorld has it
	ahead    int            // so many actors, from the first on, go as far as they can before the others start
	forever  uint8          // the sides, as bits, whose calls may wait for good
	units    int8           // what an unbuffered Write sends, and how much room is made
	timed    bool           // calls have deadlines that pass
	acceptor bool           // the calls are Accepts
	lateFlag bool           // Go's netpoller sees events after they have happened
	little   bool           // room may come without an event
	coarse   bool           // a critical section is one action, whatever it accesses
}

// script is what a goroutine, or somebody outside the process, does one after the other.
type script struct {
	name   string
	bubble bool // it is in a synctest bubble
	tasks  []task
}

// The connections, and the bits that stand for reading from them in scenario.forever.
const (
	connA = iota
	connB
	connC

	readA = 1 << (2 * connA)
	readB = 1 << (2 * connB)
	readC = 1 << (2 * connC)
)

// reads is a goroutine that reads from c so many times.
func reads(c uint8, times int) script {
	s := script{name: "read " + string('A'+rune(c))}
	for range times {
		s.tasks = append(s.tasks, task{toStartRead, 2 * c})
	}
	return s
}

// does is a goroutine with a program of its own.
func does(name string, tasks ...task) script { return script{name: name, tasks: tasks} }

// sends is a peer whose data arrive on these connections, one after the other.
func sends(to ...uint8) script {
	s := script{name: "peer"}
	for _, c := range to {
		s.tasks = append(s.tasks, task{toArrive, c})
	}
	return s
}

// interrupts sets the deadline of reads from c.
func interrupts(c uint8) script { return does("deadline", task{toSetDeadline, 2 * c}) }

// inBubbles puts goroutines in a synctest bubble.
func inBubbles(s ...script) []script {
	for i := range s {
		s[i].bubble = true
	}
	return s
}

// closes is Reactor.Close with so many connections.
func closes(conns int) script {
	s := script{name: "Close"}
	for c := range uint8(conns) {
		s.tasks = append(s.tasks, task{toClose, c}, task{toAwaitQuiet, c}, task{toAbandon, c})
	}
	s.tasks = append(s.tasks, task{do: toAwaitEmpty}, new(turn).method("close"), task{do: toClosed})
	return s
}

// tryFirst has reads try the socket before they wait.
func tryFirst(w *world) {
	for i := range w.conns {
		w.conns[i].sides[0].ready = true
	}
}

// room makes room in all sockets.
func room(n int8) func(*world) {
	return func(w *world) {
		for i := range w.conns {
			w.conns[i].room = n
		}
	}
}

// timed gives all calls a deadline.
func timed(w *world) {
	for i := range w.conns {
		w.conns[i].sides[0].timed = true
	}
}

var scenarios = []scenario{
	// Readers.
	{
		name: "one reader", conns: 1,
		actors: []script{reads(connA, 1), sends(connA)},
	},
	{
		name: "one reader, flag late", conns: 1, lateFlag: true,
		actors: []script{reads(connA, 1), sends(connA)},
	},
	{
		name: "one reader that tries first", conns: 1, init: tryFirst,
		actors: []script{reads(connA, 2), sends(connA, connA)},
	},
	{
		name: "one reader for ever", conns: 1, forever: readA,
		actors: []script{reads(connA, 1)},
	},
	{
		name: "two readers", conns: 2,
		actors: []script{reads(connA, 1), reads(connB, 1), sends(connA, connB)},
	},
	{
		name: "two readers, flag late", conns: 2, lateFlag: true,
		actors: []script{reads(connA, 1), reads(connB, 1), sends(connA, connB)},
	},
	{
		name: "two readers that try first", conns: 2, init: tryFirst,
		actors: []script{reads(connA, 1), reads(connB, 1), sends(connA, connB)},
	},
	{
		name: "two readers, one for ever", conns: 2, forever: readB, ahead: 2,
		actors: []script{reads(connA, 2), reads(connB, 1), sends(connA, connA)},
	},
	{
		name: "three readers", conns: 3, coarse: true, ahead: 1,
		actors: []script{reads(connA, 1), reads(connB, 1), reads(connC, 1), sends(connA, connB, connC)},
	},
	{
		name: "three readers, last first", conns: 3, ahead: 2,
		actors: []script{reads(connA, 1), reads(connB, 1), reads(connC, 1), sends(connC, connB, connA)},
	},
	// Calls that are interrupted.
	{
		name: "a reader is interrupted", conns: 1,
		actors: []script{reads(connA, 1), interrupts(connA), sends(connA)},
	},
	{
		name: "one of two readers is interrupted", conns: 2, forever: readB,
		actors: []script{reads(connA, 1), reads(connB, 1), interrupts(connA), sends(connA)},
	},
	{
		name: "two readers are interrupted", conns: 2,
		actors: []script{reads(connA, 1), reads(connB, 1), interrupts(connA), interrupts(connB)},
	},
	{
		name: "a deadline passes", conns: 1, timed: true, init: timed,
		actors: []script{reads(connA, 1), does("time", task{do: toPassTime}), sends(connA)},
	},
	{
		name: "two deadlines pass", conns: 2, timed: true, init: timed,
		actors: []script{reads(connA, 1), reads(connB, 1), does("time", task{do: toPassTime})},
	},
	// Ops that are run more than once.
	{
		name: "a short write", conns: 1, units: 3, init: room(3),
		actors: []script{does("write A", task{toStartSend, 1})},
	},
	{
		name: "a short write beside a reader that is first", conns: 2, units: 3, init: room(3), ahead: 1,
		actors: []script{reads(connB, 1), does("write A", task{toStartSend, 1}), sends(connB)},
	},
	{
		name: "a short write and a reader", conns: 2, units: 2, init: room(2),
		actors: []script{does("write A", task{toStartSend, 1}), reads(connB, 1), sends(connB)},
	},
	{
		name: "a write that waits for room", conns: 1, units: 2, init: room(1),
		actors: []script{does("write A", task{toStartSend, 1}), does("peer", task{toMakeRoom, connA})},
	},
	{
		name: "two short writes", conns: 2, units: 2, init: room(2),
		actors: []script{does("write A", task{toStartSend, 1}), does("write B", task{toStartSend, 3})},
	},
	{
		name: "a submitter runs the op of a reader, in vain", conns: 3, units: 1, init: room(1), forever: readC, ahead: 2,
		actors: []script{
			reads(connB, 1), reads(connC, 1), does("write A", task{toStartSend, 1}), sends(connB), does("peer C", task{toUrge, connC}),
		},
	},
	{
		name: "an Accept and a reader", conns: 2, acceptor: true, init: tryFirst,
		actors: []script{reads(connA, 1), reads(connB, 1), sends(connA, connB)},
	},
	// Buffered writes.
	{
		name: "a buffered write", conns: 1, init: room(4),
		actors: []script{does("write A", task{toStartWrite, connA}, task{toStartWrite, connA})},
	},
	{
		name: "requests and answers", conns: 1, init: room(4),
		actors: []script{
			does("client A", task{toStartWrite, connA}, task{toStartRead, 0}, task{toStartWrite, connA}, task{toStartRead, 0}),
			does("peer", task{toAnswer, connA}, task{toAnswer, connA}),
		},
	},
	{
		name: "requests and answers, and a reader", conns: 2, init: room(4), ahead: 1,
		actors: []script{
			reads(connB, 1), does("client A", task{toStartWrite, connA}, task{toStartRead, 0}),
			does("peer A", task{toAnswer, connA}), sends(connB),
		},
	},
	{
		name: "a buffered write that waits for room", conns: 1, units: 2,
		actors: []script{does("write A", task{toStartWrite, connA}, task{toStartWrite, connA}), does("peer", task{toMakeRoom, connA})},
	},
	{
		name: "a buffered write that waits for ever", conns: 1, units: 2,
		actors: []script{does("write A", task{toStartWrite, connA})},
	},
	{
		name: "a buffered write waits for room, a leader leaves", conns: 2, units: 1,
		actors: []script{
			does("write A", task{toStartWrite, connA}), reads(connB, 1),
			does("peer A", task{toMakeRoom, connA}), sends(connB),
		},
	},
	{
		name: "a buffered write is flushed", conns: 1, units: 1,
		actors: []script{does("write A", task{toStartWrite, connA}, task{toFlush, connA}), does("peer", task{toMakeRoom, connA})},
	},
	{
		name: "a buffered write finds room by itself", conns: 1, units: 1, little: true,
		actors: []script{does("write A", task{toStartWrite, connA}, task{toAwaitStuck, connA}, task{toMakeLittle, connA}, task{toFlush, connA})},
	},
	{
		name: "a flush is interrupted", conns: 1, units: 1,
		actors: []script{does("write A", task{toStartWrite, connA}, task{toFlush, connA}), does("deadline", task{toSetDeadline, 1})},
	},
	{
		name: "a reader parks while a buffered write is added", conns: 2, forever: readB, init: room(4),
		actors: []script{does("write A", task{toStartWrite, connA}), reads(connB, 1)},
	},
	{
		name: "a write is added while a leader sleeps", conns: 2, forever: readB, init: room(4), ahead: 1,
		actors: []script{reads(connB, 1), does("write A", task{toStartWrite, connA})},
	},
	{
		name: "a write is added while a leader leaves", conns: 2, init: room(4), ahead: 1,
		actors: []script{reads(connB, 1), does("write A", task{toStartWrite, connA}), sends(connB)},
	},
	{
		name: "a write is added while the loop sleeps", conns: 3, forever: readC, init: room(4), ahead: 4,
		actors: []script{
			reads(connA, 1), reads(connB, 1), reads(connC, 1), sends(connA),
			does("write A", task{toStartWrite, connA}), sends(connB),
		},
	},
	{
		name: "a write is added while the loop sleeps with one caller", conns: 2, init: room(4), ahead: 3,
		actors: []script{
			reads(connA, 1), reads(connB, 1), sends(connA),
			does("write A", task{toStartWrite, connA}), sends(connB),
		},
	},
	{
		name: "a flush tries again while the loop retires", conns: 2, units: 1, ahead: 2,
		actors: []script{
			does("write A", task{toStartWrite, connA}), reads(connB, 1),
			does("flush A", task{toFlush, connA}), sends(connB), does("peer A", task{toMakeRoom, connA}),
		},
	},
	{
		name: "a flush that tries again is interrupted while the loop retires", conns: 2, units: 1, ahead: 2,
		actors: []script{
			does("write A", task{toStartWrite, connA}), reads(connB, 1),
			does("flush A", task{toFlush, connA}), does("deadline", task{toSetDeadline, 1}), sends(connB),
		},
	},
	{
		name: "a loop with one caller retires while a write is added", conns: 3, forever: readB, init: room(4), ahead: 2,
		actors: []script{reads(connB, 1), reads(connC, 1), does("write A", task{toStartWrite, connA}), sends(connC)},
	},
	// The end.
	{
		name: "close while a reader waits", conns: 1, ahead: 1,
		actors: []script{reads(connA, 1), closes(1)},
	},
	{
		name: "close while two readers wait", conns: 2, ahead: 2,
		actors: []script{reads(connA, 1), reads(connB, 1), closes(2)},
	},
	{
		name: "close while the loop sleeps", conns: 3, ahead: 4, coarse: true,
		actors: []script{reads(connA, 1), reads(connB, 1), reads(connC, 1), sends(connA), closes(3)},
	},
	{
		name: "close while a leader leaves", conns: 1, ahead: 1,
		actors: []script{reads(connA, 1), sends(connA), closes(1)},
	},
	{
		name: "close while a buffered write waits for room", conns: 1, ahead: 1,
		actors: []script{does("write A", task{toStartWrite, connA}), closes(1)},
	},
	{
		name: "close while a reader starts", conns: 1,
		actors: []script{reads(connA, 1), closes(1)},
	},
	{
		name: "close while two readers start", conns: 2,
		actors: []script{reads(connA, 1), reads(connB, 1), closes(2)},
	},
	{
		name: "close while a reader tries first", conns: 2, init: tryFirst,
		actors: []script{reads(connA, 1), reads(connB, 1), closes(2)},
	},
	{
		name: "close while a goroutine stands in for the loop", conns: 1, init: room(4),
		actors: append(inBubbles(does("write A", task{toStartWrite, connA})), closes(1)),
	},
	// In a synctest bubble.
	{
		name: "two readers in a bubble", conns: 2,
		actors: append(inBubbles(reads(connA, 1), reads(connB, 1)), sends(connA, connB)),
	},
	{
		name: "two readers, one in a bubble", conns: 2,
		actors: append(inBubbles(reads(connA, 1)), reads(connB, 1), sends(connA, connB)),
	},
	{
		name: "requests and answers in a bubble", conns: 1, init: room(4),
		actors: append(inBubbles(
			does("client A", task{toStartWrite, connA}, task{toStartRead, 0}, task{toStartWrite, connA}, task{toStartRead, 0})),
			does("peer", task{toAnswer, connA}, task{toAnswer, connA})),
	},
	{
		name: "a buffered write in a bubble waits for room, with a reader", conns: 2, units: 1,
		actors: append(inBubbles(does("write A", task{toStartWrite, connA}), reads(connB, 1)),
			does("peer A", task{toMakeRoom, connA}), sends(connB)),
	},
	{
		name: "a buffered write in a bubble, a reader outside", conns: 2, init: room(4),
		actors: append(inBubbles(does("write A", task{toStartWrite, connA})), reads(connB, 1), sends(connB)),
	},
	{
		name: "a short write in a bubble, and a reader", conns: 2, units: 2, init: room(2),
		actors: append(inBubbles(does("write A", task{toStartSend, 1}), reads(connB, 1)), sends(connB)),
	},
	{
		name: "a submitter runs the op of a reader, in vain, and a bubble's reader leaves", conns: 3, units: 1, init: room(1), forever: readC, ahead: 2,
		actors: append(inBubbles(reads(connB, 1)),
			reads(connC, 1), does("write A", task{toStartSend, 1}), sends(connB), does("peer C", task{toUrge, connC})),
	},
	{
		name: "a reader in a bubble for ever, a buffered write outside", conns: 2, forever: readB, init: room(4),
		actors: append(inBubbles(reads(connB, 1)), does("write A", task{toStartWrite, connA})),
	},
	{
		name: "a reader in a bubble, a buffered write outside", conns: 2, init: room(4),
		actors: append(inBubbles(reads(connB, 1)), does("write A", task{toStartWrite, connA}), sends(connB)),
	},
}
