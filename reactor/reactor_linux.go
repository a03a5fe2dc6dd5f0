package reactor

import (
	"cmp"
	"errors"
	"sync"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor/engine"
)

// Config configures a Reactor.
type Config struct {
	Engine engine.Kind

	// Buffers and BufferSize are the number, a power of two, and the size in bytes
	// of the buffers that small reads share.
	Buffers, BufferSize int

	// SmallRead is the size in bytes below which a read goes through a shared
	// buffer. 0 means defaultSmallRead, a negative size none.
	SmallRead int

	// Report, if not nil, is told of features of the ring that fail at run time, and of a
	// ring that breaks. It is called with locks held, and must not call the Reactor.
	Report func(event string, err error)

	// BatchAll keeps the calls of registered connections in the batches, whatever the
	// writePolicy says. It is for tests.
	BatchAll bool
}

// Reactor runs the operations of the descriptors registered with it. Make one
// with New; end it with Close.
//
// A Reactor has a goroutine, its loop, only while two calls or more wait or buffered
// writes are on their way.
type Reactor struct {
	handoff             // who runs ops, and who waits for events
	submitter submitter // runs batches
	poll      pollSet   // tells of events
	alarms    alarms    // tell of deadlines
	policy    writePolicy
	leftovers leftovers // of closed listeners
	race      raceEnd
	smallRead int // reads of fewer bytes go through a shared buffer

	leader leader
	batch  [maxBatch]*op // the watcher's

	inline    sync.Pool // *[maxBatch]*op, for inline submitters
	loopWaits sync.Pool // *loopWait
	loopFunc  func()    // loop

	n counters
}

// New makes a reactor. The caller must Close it.
func New(cfg Config) (*Reactor, error) {
	bufs, err := bufring.New(cfg.Buffers, cfg.BufferSize)
	if err != nil {
		return nil, err
	}
	r := &Reactor{smallRead: cmp.Or(cfg.SmallRead, defaultSmallRead)}
	r.policy.never = cfg.BatchAll
	r.leader.look = r.leaderLook
	r.inline.New = func() any { return new([maxBatch]*op) }
	r.loopWaits.New = func() any { return newLoopWait(r) }
	r.loopFunc = r.loop
	if err := r.submitter.open(cfg.Engine, bufs, cfg.Report); err != nil {
		return nil, errjoin.Join(err, bufs.Close())
	}
	if err := r.poll.open(); err != nil {
		return nil, errjoin.Join(err, r.submitter.close())
	}
	r.alarms.begin(r.poll.file)
	if err := r.race.open(); err != nil {
		return nil, errjoin.Join(err, r.poll.close(), r.submitter.close())
	}
	return r, nil
}

// Engine returns the engine in use and, where Auto did not pick URing, why.
func (r *Reactor) Engine() (kind engine.Kind, reason error) { return r.submitter.kind() }

// Close closes every descriptor registered with the reactor, waits until nobody
// works for it any more and frees what it holds. A second Close returns ErrClosed.
func (r *Reactor) Close() error {
	handlers, first := r.poll.slots.shut()
	if !first {
		return ErrClosed
	}
	err := endAll(handlers)
	// A descriptor whose Close was under way elsewhere may not be gone yet.
	r.poll.slots.awaitEmpty()
	r.leftovers.discard()
	if r.handoff.close() {
		r.alarms.interrupt()
		r.left.wait()
	}
	r.alarms.end()
	return errjoin.Join(err, r.submitter.close(), r.poll.close(), r.race.close())
}

// endAll closes the descriptors. None of them waits for another one.
func endAll(handlers []eventHandler) error {
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
			slow.Go(func() { end(h) })
		} else {
			end(h)
		}
	}
	slow.Wait()
	return errjoin.Join(errs...)
}
