package engine

import (
	"fmt"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/errjoin"
)

// Engine runs batches. One goroutine at a time may use it.
type Engine interface {
	// Kind returns URing or Syscall.
	Kind() Kind

	// Submit has the kernel run every op of batch that is not done, without blocking,
	// and calls Finish on each, in any order. If it returns an error, the engine is
	// broken: the ops that are not done have not been run, and another engine may run
	// them.
	Submit(batch []*Op) error

	// Stats returns the engine's counters.
	Stats() Stats

	// Close frees what the engine holds. The shared buffers are its caller's.
	Close() error
}

// Stats counts what an Engine did.
type Stats struct {
	Single  uint64 // batches of one op, which the ring engine runs as a system call
	Stale   uint64 // completions that belonged to no op: always 0
	Demoted int    // features of the ring given up at run time
}

// Config says which Engine New makes.
type Config struct {
	Kind    Kind          // Auto, URing or Syscall
	Size    int           // the ring's submission queue has as many entries: a power of two
	Buffers *bufring.Ring // shared buffers for pooled ops; nil: they answer ENOBUFS

	// Demoted, if not nil, is told of each feature of the ring that is given up at run
	// time, and of the answer that was the reason.
	Demoted func(event string, err error)

	// Without names features, as Probe does, that the ring is not to use even if the
	// kernel has them. AlwaysRing has an op that is alone in its batch go through the
	// ring, too. Both are for tests.
	Without    []string
	AlwaysRing bool
}

// New returns an engine, with the shared buffers registered where the kernel can
// choose from them. The caller must Close it. For Auto, reason says why the ring is
// unavailable; for URing, the error does, as an *Unavailable.
func New(cfg Config) (e Engine, reason, err error) {
	switch cfg.Kind {
	case Syscall:
		return &syscallEngine{bufs: cfg.Buffers}, nil, nil
	case URing, Auto:
		ring, err := newRing(cfg)
		if err == nil {
			return ring, nil, nil
		}
		err = &Unavailable{err}
		if cfg.Kind == Auto {
			return &syscallEngine{bufs: cfg.Buffers}, err, nil
		}
		return nil, nil, err
	}
	return nil, nil, fmt.Errorf("reactor: engine %v is unknown; use Auto, URing or Syscall", cfg.Kind)
}

// newRing returns a ring that uses what the kernel has, without what cfg excludes.
func newRing(cfg Config) (e *uring, err error) {
	t, err := usable()
	if err != nil {
		return nil, err
	}
	if t, err = t.without(cfg.Without); err != nil {
		return nil, err
	}
	err = withLateMemory(func() (err error) {
		e, err = newURing(cfg, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.alwaysRing = e.alwaysRing || cfg.AlwaysRing
	return e, nil
}

// Replace returns the syscall engine in the place of a broken one, and why that broke:
// cause, and whatever went wrong in closing it.
func Replace(broken Engine, cause error, bufs *bufring.Ring) (e Engine, reason error) {
	reason = fmt.Errorf("the ring broke down: %w", errjoin.Join(cause, broken.Close(), bufs.Reclaim()))
	return &syscallEngine{bufs: bufs}, reason
}

// Run runs o, which is not pooled, at once, as a system call. Any goroutine may call it.
func Run(o *Op) { direct.run(o) }

// direct has no state.
var direct syscallEngine
