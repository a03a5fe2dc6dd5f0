package reactor

import "time"

// Every constant here was chosen by measurement, and each says how to repeat it. Measure
// is a command. Rows and Try are for
//
//	cd bench && go run . compare -rounds 15 -impls 'uring,<Try>' -rows '<Rows>'
//
// which builds netring once more for each value to try. docs/performance.md has the
// results.
const (
	// maxBatch bounds the ops of one submission, so that a batch does not hold its P for
	// long and no connection waits long for its turn.
	//
	// Unit: ops. A power of two, for it is the size of the ring, too.
	// Rows: HTTP, (64|256) conns
	// Try: uring@maxBatch=16,uring@maxBatch=256
	// Test: TestBatchLargerThanQueue
	maxBatch = 64

	// maxBatchBytes bounds the caller memory of one submission for the same reason: copying
	// is what large ops spend their time on.
	//
	// Unit: bytes.
	// Rows: echo (4|64) KiB, 256 conns
	// Try: uring@maxBatchBytes=128<<10,uring@maxBatchBytes=16<<20
	// Test: TestHandoffTakeBounds
	maxBatchBytes = 1 << 20

	// maxEvents is how many readiness events one look at the epoll descriptor collects.
	// Received data should be answered while it is in the processor's cache.
	//
	// Unit: events.
	// Rows: HTTP, (256|1024) conns
	// Try: uring@maxEvents=16,uring@maxEvents=128
	// Test: TestBusyReactorLooks
	maxEvents = 32

	// maxAccepts is the most connections one batch takes from the backlog.
	//
	// Unit: connections.
	// Rows: a conn and SHA-256
	// Try: uring@maxAccepts=1,uring@maxAccepts=64
	// Test: TestAcceptCounted
	maxAccepts = 16

	// defaultSmallRead is the size below which a read goes through a shared buffer, which
	// saves further system calls when more has come than the read asks for.
	//
	// Unit: bytes.
	// Measure: go test -run '^$' -bench Frames -benchtime 100000x ./reactor
	// Test: TestSmallReads
	defaultSmallRead = 512

	// turnPerCall decides when calls bypass the batches, see writePolicy.
	//
	// Unit: time between two batches for each call in the batch, squared.
	// Rows: HTTP, (16|64|256) conns|HTTP, SHA-256 of 128
	// Try: uring@turnPerCall=time.Microsecond,uring@turnPerCall=time.Second
	// Test: TestWritePolicy
	turnPerCall = 5 * time.Microsecond

	// sysmonPeriod is how long the runtime's monitor may sleep while there is work. It is
	// the time after which the monitor preempts a goroutine, forcePreemptNS in the
	// runtime's proc.go.
	//
	// Unit: time.
	// Rows: HTTP, (1|64) conns
	// Try: uring@sysmonPeriod=time.Millisecond,uring@sysmonPeriod=time.Hour
	// Test: TestBusyNeighbour
	sysmonPeriod = 10 * time.Millisecond

	// keepBuffer is the size above which a coalescer's empty buffer is given back.
	//
	// Unit: bytes.
	// Rows: pipelined|broadcast
	// Try: uring+cw@keepBuffer=0,uring+cw@keepBuffer=1<<20
	// Test: TestCoalesceNoAllocations
	keepBuffer = 16 << 10

	// pumpedFull is how many answers in a row must fill their buffer for a pump to change
	// to splice(2).
	//
	// Unit: answers.
	// Rows: relay|io.Copy
	// Try: uring@pumpedFull=1,uring@pumpedFull=1<<30
	// Test: TestPumpBulk
	pumpedFull = 4

	// splicedLess is how many splices in a row must move less than a buffer for a pump to
	// go on with messages.
	//
	// Unit: splices.
	// Rows: relay|io.Copy
	// Try: uring@splicedLess=1,uring@splicedLess=1<<30
	// Test: TestPumpBulk
	splicedLess = 4
)
