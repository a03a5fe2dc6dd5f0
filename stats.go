package netring

// Stats counts what a Poller did, as the sum over its reactors. Outside Linux, a Poller
// has no reactors: only Engine, EngineReason and Descriptors are set.
type Stats struct {
	Engine       Engine // the engine in use; EngineSyscall if any reactor uses it; EngineNet outside Linux
	EngineReason string // why EngineAuto did not choose EngineURing, or why the ring failed; else ""
	Reactors     int    // reactors that serve connections; listeners have another one
	Descriptors  int    // open connections and listeners
	Waiting      int    // calls that wait now
	Batches      uint64 // submissions to the kernel
	Ops          uint64 // operations in those submissions
	Single       uint64 // submissions of one operation, which EngineURing makes as a system call
	Inline       uint64 // submissions by the calling goroutine, because its reactor was asleep

	// Direct counts the operations that bypassed the batches: the calling goroutine made
	// the system call. These are a connection's operations until a call first waits,
	// writes of dialled connections, and operations whose batch would be small or late.
	Direct uint64

	Polls       uint64      // checks of a reactor's epoll descriptor
	Events      uint64      // readiness events
	Parks       uint64      // times a reactor went to sleep
	Leads       uint64      // times a waiting call watched for events in place of its reactor's goroutine
	Loops       uint64      // times a reactor's goroutine started
	Stale       uint64      // completions that belonged to no operation; a value other than 0 means a bug
	Demoted     int         // features of io_uring that failed at run time and are no longer used
	ReadBuffers BufferStats // shared receive buffers
}

// BufferStats counts what happened to the receive buffers that a Poller's
// connections share, see [Config].ReadBuffers.
type BufferStats struct {
	Buffers int    // all buffers, with or without committed memory
	InUse   int    // buffers that hold bytes now, leases included
	Taken   uint64 // times that a buffer was handed out
	Empty   uint64 // times that no buffer was left
}

// DefaultStats returns the counters of the default Poller, which serves what was made
// without a Poller of its own. Its Engine and EngineReason say what runs, and why not
// the ring. While nothing uses the default Poller, all fields are zero.
func DefaultStats() Stats { return defaultStats() }
