package reactor

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/errjoin"
)

const (
	// maxBatch bounds the ops of one submission, so that a batch does not hold its
	// P for long and no connection waits long for its turn.
	maxBatch = 64

	// maxBatchBytes bounds the caller memory of one submission for the same
	// reason: copying is what large ops spend their time on.
	maxBatchBytes = 1 << 20

	// maxInlineRounds is how many batches an inline submitter runs before it
	// hands what is left to the reactor and goes on with its own business.
	maxInlineRounds = 4
)

// Config configures a Reactor.
type Config struct {
	Engine EngineKind

	// Buffers and BufferSize are the number, a power of two, and the size in bytes
	// of the buffers that small reads share.
	Buffers, BufferSize int

	// SmallRead is the size in bytes below which a read goes through a shared
	// buffer. 0 means 512, a negative size none.
	SmallRead int

	// LargeWrite is the size in bytes from which on a Write makes its system call
	// itself, outside any batch. 0 means 16 KiB. A negative size has all writes join
	// the batches, smaller ones, too, that would otherwise not wait, see patience.
	LargeWrite int
}

// defaultSmallRead was measured, with the size of the buffers, by
// BenchmarkFrames: see ARCHITECTURE.md.
const defaultSmallRead = 512

// defaultLargeWrite is where a batch has nothing to save any more: copying is all
// there is to a large write, and by its turn the bytes have left the processor's
// cache. Echo of 64 KiB with 256 connections went from 0.85-0.90 to 0.99 times net
// on one core, and from 0.99-1.07 to 1.11-1.14 on two; with 4 KiB it is all the same.
const defaultLargeWrite = 16 << 10

// Stats counts what a Reactor did.
type Stats struct {
	Engine      EngineKind
	Descriptors int           // descriptors registered now
	Batches     uint64        // submissions
	Ops         uint64        // ops in them
	Single      uint64        // submissions of one op, which the ring engine makes as a system call
	Inline      uint64        // submissions made by the calling goroutine itself
	Direct      uint64        // ops run by the calling goroutine outside any batch
	Polls       uint64        // looks at the epoll descriptor
	Events      uint64        // readiness events
	Parks       uint64        // times the reactor went to sleep
	Leads       uint64        // times a caller watched in its place
	Stale       uint64        // completions that belonged to no op: always 0
	Demoted     int           // features of the ring given up at run time
	Buffers     bufring.Stats // the shared receive buffers
}

// Reactor runs the operations of the descriptors registered with it. Make one
// with New; end it with Close.
type Reactor struct {
	handoff
	watch
	slots slotTable

	epfd   int
	epFile *os.File
	epConn syscall.RawConn

	ringMu sync.Mutex // held while a batch is in the engine
	eng    engine
	bufs   *bufring.Ring
	reason error // why Auto did not pick URing

	smallRead   int // reads of fewer bytes go through a shared buffer
	largeWrite  int // writes of as many bytes go past the batches
	lonelyParks int
	manyPs      bool // there is more than one P

	impatient atomic.Bool // writes go past the batches, see patience

	// Used by the watcher only.
	events   [maxEvents]unix.EpollEvent
	handlers [maxEvents]eventHandler
	eventOps [maxEventOps]*op
	ready    []*op
	batch    [maxBatch]*op
	look     func(uintptr) bool // lookOrPark
	found    int                // events in events
	slept    bool
	patience patience

	lookAsLeader func(uintptr) bool // leaderLook
	leader       *waiter
	lonely       int // how many sleeps in a row had at most one call parked

	inline sync.Pool     // *[maxBatch]*op, for inline submitters
	direct syscallEngine // has no state

	stopping atomic.Bool
	done     chan struct{}

	n struct {
		batches, ops, inline, direct, polls, events, parks, leads atomic.Uint64
	}
}

// New starts a reactor. The caller must Close it.
func New(cfg Config) (*Reactor, error) {
	bufs, err := bufring.New(cfg.Buffers, cfg.BufferSize)
	if err != nil {
		return nil, err
	}
	r := &Reactor{bufs: bufs, smallRead: cmp.Or(cfg.SmallRead, defaultSmallRead), lonelyParks: defaultLonelyParks, done: make(chan struct{})}
	r.largeWrite = cmp.Or(cfg.LargeWrite, defaultLargeWrite)
	r.manyPs = runtime.GOMAXPROCS(0) > 1
	r.awake = make(chan struct{}, 1)
	r.slots.empty.L = &r.slots.mu
	r.look, r.lookAsLeader = r.lookOrPark, r.leaderLook
	r.inline.New = func() any { return new([maxBatch]*op) }
	if r.eng, r.reason, err = newEngine(cfg.Engine, maxBatch, bufs); err != nil {
		return nil, errjoin.Join(err, bufs.Close())
	}
	if r.epfd, r.epFile, err = newEpoll(); err != nil {
		return nil, errjoin.Join(err, r.eng.close(), bufs.Close())
	}
	if r.epConn, err = r.epFile.SyscallConn(); err != nil {
		return nil, errjoin.Join(err, r.free())
	}
	go r.loop()
	return r, nil
}

// Engine returns the engine in use and, where Auto did not pick URing, why.
func (r *Reactor) Engine() (kind EngineKind, reason error) {
	r.ringMu.Lock()
	defer r.ringMu.Unlock()
	return r.eng.kind(), r.reason
}

// Stats returns the reactor's counters.
func (r *Reactor) Stats() Stats {
	r.slots.mu.Lock()
	open := r.slots.open
	r.slots.mu.Unlock()
	s := Stats{
		Descriptors: open,
		Batches:     r.n.batches.Load(),
		Ops:         r.n.ops.Load(),
		Inline:      r.n.inline.Load(),
		Direct:      r.n.direct.Load(),
		Polls:       r.n.polls.Load(),
		Events:      r.n.events.Load(),
		Parks:       r.n.parks.Load(),
		Leads:       r.n.leads.Load(),
		Buffers:     r.bufs.Stats(),
	}
	r.ringMu.Lock()
	defer r.ringMu.Unlock()
	s.Engine = r.eng.kind()
	if u, ok := r.eng.(*uring); ok {
		s.Single, s.Stale, s.Demoted = u.single, u.stale, u.demoted
	}
	return s
}

// Close closes every descriptor registered with the reactor, ends its goroutine
// and frees what it holds. A second Close returns ErrClosed.
func (r *Reactor) Close() error {
	handlers, first := r.slots.shut()
	if !first {
		return ErrClosed
	}
	var errs []error
	for _, h := range handlers {
		if err := h.Close(); err != nil && !errors.Is(err, ErrClosed) {
			errs = append(errs, err)
		}
		h.abandon()
	}
	// A descriptor whose Close was under way elsewhere may not be gone yet.
	r.slots.awaitEmpty()
	for _, l := range r.slots.takeOrphans() {
		l.discard()
	}
	r.stopping.Store(true)
	r.activate()
	<-r.done
	return errjoin.Join(append(errs, r.free())...)
}

// free releases everything but the goroutine.
func (r *Reactor) free() error {
	return errjoin.Join(r.eng.close(), r.bufs.Close(), r.epFile.Close())
}

// loop is the reactor's goroutine. It works whenever it is the watcher.
func (r *Reactor) loop() {
	defer close(r.done)
	for !r.stopping.Load() {
		<-r.awake
		r.recall.Store(false)
		r.wake()
		r.serve()
	}
}

// serve runs ops until the reactor stops or retires from watching.
func (r *Reactor) serve() {
	looked := false // did the last pass look at epoll?
	unlooked := 0   // how many passes did not, in a row, with enough to do
	for !r.stopping.Load() {
		switch pending := r.length(); {
		case pending == 0:
			if r.retire() {
				return
			}
			r.dispatch(r.wait())
			looked, unlooked = true, 0
		case pending >= maxEvents && unlooked < maxUnlooked:
			unlooked++
			looked = false
		case pending >= fewOps || !looked:
			r.dispatch(r.collect(max(maxEvents-pending, minLook)))
			looked, unlooked = true, 0
		default:
			// A pass with little to do is over soon, and the next one will look.
			looked = false
		}
		if ran, writes := r.runSome(&r.batch); ran {
			start, direct := monotonic(), r.n.direct.Load()
			yield()
			writes += int(r.n.direct.Load() - direct)
			if lost := r.patience.turned(writes, monotonic()-start); lost != r.impatient.Load() {
				r.impatient.Store(lost)
			}
		}
	}
}

// runSome runs a batch of what is pending, using buf. It reports whether there
// was any, and how many of the ops were writes.
func (r *Reactor) runSome(buf *[maxBatch]*op) (ran bool, writes int) {
	batch := r.take(buf[:], maxBatchBytes)
	if len(batch) == 0 {
		return false, 0
	}
	writes = r.run(batch)
	clear(batch)
	return true, writes
}

// fewOps is the number of pending ops below which a look at the epoll
// descriptor costs more than it brings.
const fewOps = 4

// submit gets ops run, in one batch: by the reactor if it is running, else here and
// now.
func (r *Reactor) submit(ops ...*op) {
	if !r.push(ops...) {
		// The reactor is ahead of this goroutine in the scheduler's queue, so mostly they are
		// done on return, and the caller finds its token without having to park. One core,
		// HTTP with 16 to 256 connections: 1.12, 1.17, 1.26 times net became 1.14, 1.19, 1.29.
		yield()
		return
	}
	r.n.inline.Add(1)
	buf := r.inline.Get().(*[maxBatch]*op)
	n := copy(buf[:], ops)
	r.run(buf[:n])
	clear(buf[:n])
	r.runMore(buf)
	r.inline.Put(buf)
}

// runMore is the rest of an inline submission: whatever else is pending, using buf.
func (r *Reactor) runMore(buf *[maxBatch]*op) {
	for rounds := 0; r.length() > 0; rounds++ {
		if rounds == maxInlineRounds {
			r.activate()
			return
		}
		if ran, _ := r.runSome(buf); ran {
			r.n.inline.Add(1)
		}
	}
	if r.state.Load() == watchedByNobody && r.needed() {
		r.startReactor() // see rules 4 and 5 of watch
	}
}

// submitLater gets o run with the next batch, by the reactor's goroutine.
func (r *Reactor) submitLater(o *op) {
	if !r.add(o) {
		r.activate()
	}
}

// runDirect runs o on the calling goroutine with plain system calls, outside the
// ring and its lock.
func (r *Reactor) runDirect(o *op) {
	r.n.direct.Add(1)
	for again := true; again; again = o.owner.complete(o) {
		r.direct.run(o)
	}
}

// run submits a batch and handles its completions. It returns how many of them
// were writes.
func (r *Reactor) run(batch []*op) (writes int) {
	for _, o := range batch {
		if o.late {
			o.owner.(*FD).prepare(o)
		}
	}
	r.ringMu.Lock()
	if err := r.eng.submit(batch); err != nil {
		r.replaceEngine(err)
		if err := r.eng.submit(batch); err != nil { // what is not done yet
			panic("reactor: the syscall engine reports an error: " + err.Error())
		}
	}
	r.ringMu.Unlock()
	r.n.batches.Add(1)
	r.n.ops.Add(uint64(len(batch)))
	for _, o := range batch {
		if o.kind == opSend || o.kind == opSendv {
			writes++ // said before o is its owner's again
		}
		if o.owner.complete(o) {
			r.requeue(o)
		}
	}
	return writes
}

// replaceEngine puts the syscall engine in the place of a broken one.
func (r *Reactor) replaceEngine(why error) {
	r.reason = fmt.Errorf("the ring broke down: %w", errjoin.Join(why, r.eng.close(), r.bufs.Reclaim()))
	r.eng = newSyscallEngine(r.bufs)
}
