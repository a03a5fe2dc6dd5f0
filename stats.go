package netring

// Stats counts what a Poller did since it was made. Outside Linux, a Poller has no
// reactors: only Engine, EngineReason and Descriptors are set.
//
// A counter never decreases. The other fields say how many there are now. The JSON names
// are those of the Prometheus metrics in integrations/prometheus.
type Stats struct {
	Engine       Engine `json:"engine"`                  // the engine in use; EngineSyscall if any reactor uses it; EngineNet outside Linux
	EngineReason string `json:"engine_reason,omitempty"` // why EngineAuto did not choose EngineURing, or why the ring failed; else ""
	Reactors     int    `json:"reactors"`                // reactors that serve connections; listeners have another one

	Accepted  uint64 `json:"accepted"`   // connections that Accept returned
	Dialled   uint64 `json:"dialled"`    // connections that a Dialer made
	TakenOver uint64 `json:"taken_over"` // connections that FileConn or WrapConn took over

	// AcceptBackoffs counts Accept's temporary errors, a lack of descriptors or memory.
	// net/http and others then wait before the next Accept.
	AcceptBackoffs uint64 `json:"accept_backoffs"`

	Counters // the sum over all reactors

	// PerReactor has each reactor's share. The listeners' reactor is the last.
	PerReactor []ReactorStats `json:"per_reactor,omitempty"`
}

// ReactorStats is a reactor's share of a Poller's Stats.
type ReactorStats struct {
	Name   string `json:"name"` // "0", "1", …, or "listeners"
	Engine Engine `json:"engine"`
	Counters
}

// Counters counts what a reactor did. A Poller's listeners have a reactor of their own,
// whose operations are accepts.
type Counters struct {
	Descriptors int    `json:"descriptors"` // open connections and listeners
	Connections int    `json:"connections"` // open connections
	Opened      uint64 `json:"opened"`      // connections that were opened
	Closed      uint64 `json:"closed"`      // connections that were closed or detached
	Waiting     int    `json:"waiting"`     // calls that wait now

	// BytesIn and BytesOut count the bytes received and sent, also by sendfile and splice.
	// They do not count the bytes of a program that uses SyscallConn, File or Detach.
	BytesIn  uint64 `json:"bytes_in"`
	BytesOut uint64 `json:"bytes_out"`

	Batches    uint64             `json:"batches"`     // submissions to the kernel
	BatchSizes [BatchSizes]uint64 `json:"batch_sizes"` // submissions by their number of operations, see BatchSizeLimits
	Ops        uint64             `json:"ops"`         // operations in those submissions
	Single     uint64             `json:"single"`      // submissions of one operation, which EngineURing makes as a system call
	Inline     uint64             `json:"inline"`      // submissions by the calling goroutine, because its reactor was asleep

	// Direct counts the operations that bypassed the batches: the calling goroutine made
	// the system call. These are a connection's operations until a call first waits,
	// writes of dialled connections, and operations whose batch would be small or late.
	Direct uint64 `json:"direct"`

	// Pumped counts the pieces that io.Copy passed from one connection to another inside the
	// reactors, without waking its goroutine.
	Pumped uint64 `json:"pumped"`

	Again   uint64 `json:"again"`   // operations, in batches or direct, that found nothing to do (EAGAIN)
	Polls   uint64 `json:"polls"`   // checks of a reactor's epoll descriptor
	Events  uint64 `json:"events"`  // readiness events
	Parks   uint64 `json:"parks"`   // times a reactor went to sleep; an event woke it up
	Leads   uint64 `json:"leads"`   // times a waiting call watched for events in place of its reactor's goroutine
	Loops   uint64 `json:"loops"`   // times a reactor's goroutine started
	Stale   uint64 `json:"stale"`   // completions that belonged to no operation; a value other than 0 means a bug
	Demoted int    `json:"demoted"` // features of io_uring that failed at run time and are no longer used

	ReadBuffers BufferStats `json:"read_buffers"` // shared receive buffers
}

// BatchSizes is the length of Counters.BatchSizes.
const BatchSizes = 7

// BatchSizeLimits has the largest number of operations of each class of submissions in
// Counters.BatchSizes. The last class has no limit, which is 0 here.
func BatchSizeLimits() [BatchSizes]int { return [...]int{1, 2, 4, 8, 16, 32, 0} }

// BufferStats counts what happened to the receive buffers that a Poller's
// connections share, see [Config].ReadBuffers.
type BufferStats struct {
	Buffers int    `json:"buffers"` // all buffers, with or without committed memory
	InUse   int    `json:"in_use"`  // buffers that hold bytes now, leases included
	Taken   uint64 `json:"taken"`   // times that a buffer was handed out
	Empty   uint64 `json:"empty"`   // times that no buffer was left
}

// ListenerStats counts what a Listener did.
type ListenerStats struct {
	Accepted       uint64 `json:"accepted"`        // connections that Accept returned
	AcceptBackoffs uint64 `json:"accept_backoffs"` // temporary errors of Accept, see Stats
	Ahead          int    `json:"ahead"`           // connections accepted ahead, which Accept has yet to return
}

// DefaultStats returns the counters of the default Poller, which serves what was made
// without a Poller of its own. Its Engine and EngineReason say what runs, and why not
// the ring. While nothing uses the default Poller, Engine is EngineAuto and Reactors is 0;
// the counters stay.
func DefaultStats() Stats { return defaultStats() }
