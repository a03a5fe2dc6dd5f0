package reactor

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
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
// BenchmarkFrames: see docs/performance.md.
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
	Waiting     int           // calls that wait now
	Batches     uint64        // submissions
	Ops         uint64        // ops in them
	Single      uint64        // submissions of one op, which the ring engine makes as a system call
	Inline      uint64        // submissions made by the calling goroutine itself
	Direct      uint64        // ops run by the calling goroutine outside any batch
	Polls       uint64        // looks at the epoll descriptor
	Events      uint64        // readiness events
	Parks       uint64        // times the reactor went to sleep
	Leads       uint64        // times a caller watched in its place
	Loops       uint64        // times its goroutine was started
	Stale       uint64        // completions that belonged to no op: always 0
	Demoted     int           // features of the ring given up at run time
	Buffers     bufring.Stats // the shared receive buffers
}

// Reactor runs the operations of the descriptors registered with it. Make one
// with New; end it with Close.
//
// A Reactor has a goroutine, its loop, only while two calls or more wait or buffered
// writes are on their way.
type Reactor struct {
	handoff
	alarms alarms
	slots  slotTable

	epfd   int
	epFile *os.File
	epConn syscall.RawConn

	ringMu sync.Mutex // held while a batch is in the engine
	eng    engine
	bufs   *bufring.Ring
	reason error // why Auto did not pick URing
	race   raceEnd

	smallRead  int // reads of fewer bytes go through a shared buffer
	largeWrite int // writes of as many bytes go past the batches
	manyPs     atomic.Bool

	impatient atomic.Bool // calls go past the batches, see patience

	// Used by the watcher only.
	events   [maxEvents]unix.EpollEvent
	handlers [maxEvents]eventHandler
	eventOps [maxEventOps]*op
	ready    []*op
	batch    [maxBatch]*op
	found    int // events in events
	patience patience

	lookAsLeader func(uintptr) bool // leaderLook
	leader       *waiter
	asleep       atomic.Pointer[waiter] // the leader's, while it waits for events

	inline    sync.Pool     // *[maxBatch]*op, for inline submitters
	loopWaits sync.Pool     // *loopWait
	loopFunc  func()        // loop
	direct    syscallEngine // has no state

	n struct {
		batches, ops, inline, direct, hurried, polls, events, parks, leads, loops atomic.Uint64
	}
}

// New makes a reactor. The caller must Close it.
func New(cfg Config) (*Reactor, error) {
	bufs, err := bufring.New(cfg.Buffers, cfg.BufferSize)
	if err != nil {
		return nil, err
	}
	r := &Reactor{bufs: bufs, smallRead: cmp.Or(cfg.SmallRead, defaultSmallRead), largeWrite: cmp.Or(cfg.LargeWrite, defaultLargeWrite)}
	r.limit = defaultLonelyParks
	r.FollowProcs()
	r.lookAsLeader = r.leaderLook
	r.inline.New = func() any { return new([maxBatch]*op) }
	r.loopWaits.New = func() any { return newLoopWait(r) }
	r.loopFunc = r.loop
	if r.eng, r.reason, err = newEngine(cfg.Engine, maxBatch, bufs); err != nil {
		return nil, errjoin.Join(err, bufs.Close())
	}
	if r.epfd, r.epFile, err = newEpoll(); err != nil {
		return nil, errjoin.Join(err, r.eng.close(), bufs.Close())
	}
	r.alarms.file = r.epFile
	if err := r.race.open(); err != nil {
		return nil, errjoin.Join(err, r.epFile.Close(), r.eng.close(), bufs.Close())
	}
	if r.epConn, err = r.epFile.SyscallConn(); err != nil {
		return nil, errjoin.Join(err, r.free())
	}
	return r, nil
}

// FollowProcs has the reactor look at runtime.GOMAXPROCS again.
func (r *Reactor) FollowProcs() { r.manyPs.Store(runtime.GOMAXPROCS(0) > 1) }

// Engine returns the engine in use and, where Auto did not pick URing, why.
func (r *Reactor) Engine() (kind EngineKind, reason error) {
	r.ringMu.Lock()
	defer r.ringMu.Unlock()
	return r.eng.kind(), r.reason
}

// Stats returns the reactor's counters.
func (r *Reactor) Stats() Stats {
	s := Stats{
		Descriptors: int(r.slots.open.Load()),
		Waiting:     r.waiting(),
		Batches:     r.n.batches.Load(),
		Ops:         r.n.ops.Load(),
		Inline:      r.n.inline.Load(),
		Direct:      r.n.direct.Load(),
		Polls:       r.n.polls.Load(),
		Events:      r.n.events.Load(),
		Parks:       r.n.parks.Load(),
		Leads:       r.n.leads.Load(),
		Loops:       r.n.loops.Load(),
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

// Close closes every descriptor registered with the reactor, waits until nobody
// works for it any more and frees what it holds. A second Close returns ErrClosed.
func (r *Reactor) Close() error {
	handlers, first := r.slots.shut()
	if !first {
		return ErrClosed
	}
	var mu sync.Mutex
	var errs []error
	end := func(h eventHandler) {
		err := h.Close()
		h.abandon()
		if err != nil && !errors.Is(err, ErrClosed) {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		}
	}
	var slow sync.WaitGroup
	for _, h := range handlers {
		if h.closeMayWait() {
			slow.Go(func() { end(h) }) // which the others need not wait for
		} else {
			end(h)
		}
	}
	slow.Wait()
	// A descriptor whose Close was under way elsewhere may not be gone yet.
	r.slots.awaitEmpty()
	for _, l := range r.slots.takeOrphans() {
		l.discard()
	}
	if r.handoff.close() {
		r.alarms.kick()
		r.left.wait()
	}
	return errjoin.Join(append(errs, r.free())...)
}

// free releases what the reactor holds.
func (r *Reactor) free() error {
	r.alarms.end()
	return errjoin.Join(r.eng.close(), r.bufs.Close(), r.epFile.Close(), r.race.close())
}

// loop is the reactor's goroutine: it runs ops and waits for events until there is
// nothing to watch for, or a caller that can.
func (r *Reactor) loop() {
	r.n.loops.Add(1)
	wait := r.loopWaits.Get().(*loopWait)
	defer r.loopWaits.Put(wait)
	yield()         // a new goroutine is first in the scheduler's queue; who was woken goes before
	looked := false // did the last pass look at epoll?
	unlooked := 0   // how many passes did not, in a row, with enough to do
	for {
		switch pending := r.length(); {
		case pending == 0:
			if !wait.forEvents() {
				// A parked caller may lead now, but does not know.
				if r.parked.Load() > 0 {
					r.nudgeAll()
				}
				return
			}
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
		r.fireAlarms()
		if ran, asked := r.runSome(&r.batch); ran {
			start, hurried := monotonic(), r.n.hurried.Load()
			yield()
			asked += int(r.n.hurried.Load() - hurried)
			if lost := r.patience.turned(asked, monotonic()-start); lost != r.impatient.Load() {
				r.impatient.Store(lost)
			}
		}
	}
}

// runSome runs a batch of what is pending, using buf. It reports whether there
// was any, and how many of the ops their callers waited for.
func (r *Reactor) runSome(buf *[maxBatch]*op) (ran bool, asked int) {
	batch := r.take(buf[:], maxBatchBytes)
	if len(batch) == 0 {
		return false, 0
	}
	asked = r.run(batch)
	clear(batch)
	return true, asked
}

// fewOps is the number of pending ops below which a look at the epoll
// descriptor costs more than it brings.
const fewOps = 4

// submit gets o run: by the loop, with its next batch, if that runs, else here and
// now.
func (r *Reactor) submit(o *op) {
	if !r.push(o) {
		// The loop is ahead of this goroutine in the scheduler's queue, so mostly they are
		// done on return, and the caller finds its token without having to park. One core,
		// HTTP with 16 to 256 connections: 1.12, 1.17, 1.26 times net became 1.14, 1.19, 1.29.
		yield()
		return
	}
	r.runInline(o)
}

// runInline runs ops, in one batch, on the calling goroutine.
func (r *Reactor) runInline(ops ...*op) {
	r.n.inline.Add(1)
	buf := r.inline.Get().(*[maxBatch]*op)
	n := copy(buf[:], ops)
	r.run(buf[:n])
	clear(buf[:n])
	// Whatever else is pending is the caller's, too: rule 2 of handoff.
	for rounds := 0; r.mine(); rounds++ {
		if rounds == maxInlineRounds {
			r.obey(r.delegate())
			break
		}
		if ran, _ := r.runSome(buf); ran {
			r.n.inline.Add(1)
		}
	}
	r.obey(r.ensure()) // rule 5
	r.inline.Put(buf)
}

// submitLater gets o run with the next batch, by somebody else. No lock may be held.
func (r *Reactor) submitLater(o *op) { r.obey(r.add(o)) }

// runDirect runs o on the calling goroutine with plain system calls, outside the
// ring and its lock.
func (r *Reactor) runDirect(o *op) {
	r.n.direct.Add(1)
	if o.asked() {
		r.n.hurried.Add(1)
	}
	for again := true; again; again = o.owner.complete(o) {
		r.direct.run(o)
	}
}

// run submits a batch and handles its completions. It returns how many of the ops
// their callers waited for.
func (r *Reactor) run(batch []*op) (asked int) {
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
	// Whoever is woken last is the scheduler's next choice, and the others come after, in
	// order. So the first reader is woken last: what came first is seen first.
	first := slices.IndexFunc(batch, func(o *op) bool { return o.kind == opRecv })
	for i, o := range batch {
		if o.asked() {
			asked++ // said before o is its owner's again
		}
		if i != first && o.owner.complete(o) {
			r.requeue(o)
		}
	}
	if first >= 0 && batch[first].owner.complete(batch[first]) {
		r.requeue(batch[first])
	}
	return asked
}

// replaceEngine puts the syscall engine in the place of a broken one.
func (r *Reactor) replaceEngine(why error) {
	r.reason = fmt.Errorf("the ring broke down: %w", errjoin.Join(why, r.eng.close(), r.bufs.Reclaim()))
	r.eng = newSyscallEngine(r.bufs)
}
