package netring

// Stats counts what a Poller did. Counters of all reactors are added up. Outside
// Linux there are no reactors: only Engine, EngineReason and Descriptors are set.
type Stats struct {
	Engine       Engine      // the engine in use; EngineSyscall if any reactor uses it; EngineNet outside Linux
	EngineReason string      // why EngineAuto did not pick EngineURing, or gave it up; else ""
	Reactors     int         // reactors that serve connections; listeners have one more
	Descriptors  int         // connections and listeners open now
	Waiting      int         // calls that wait now
	Batches      uint64      // submissions to the kernel
	Ops          uint64      // operations in them
	Single       uint64      // submissions of one operation, which EngineURing makes as a system call
	Inline       uint64      // submissions made by the calling goroutine itself, because its reactor was asleep
	Direct       uint64      // operations that the calling goroutine ran itself: until a connection first waits, large writes, those whose batch would be small or late, writes of dialled connections
	Polls        uint64      // looks at a reactor's epoll descriptor
	Events       uint64      // readiness events
	Parks        uint64      // times a reactor went to sleep
	Leads        uint64      // times a waiting caller watched in its reactor's place
	Loops        uint64      // times a reactor's goroutine was started
	Stale        uint64      // completions that belonged to no operation; not 0 means a bug
	Demoted      int         // features of io_uring that failed at run time and are not used any more
	Buffers      BufferStats // shared receive buffers
}

// BufferStats counts what happened to the receive buffers that a Poller's
// connections share, see [Config].Buffers.
type BufferStats struct {
	Buffers int    // buffers there are, whether or not memory is committed to them
	InUse   int    // buffers that hold bytes now, leases included
	Taken   uint64 // times a buffer was handed out
	Empty   uint64 // times no buffer was left
}
