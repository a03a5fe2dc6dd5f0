package reactor

import (
	"slices"
	"sync"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor/engine"
)

// submitter runs batches on the reactor's engine. All methods may be called
// concurrently.
type submitter struct {
	bufs   *bufring.Ring
	report func(event string, err error)

	mu     sync.Mutex // held while a batch is in the engine
	eng    engine.Engine
	reason error // why Auto did not pick URing, or why the ring was given up
	ops    [maxBatch]*engine.Op
}

// open makes the engine. report is Config.Report.
func (s *submitter) open(kind engine.Kind, bufs *bufring.Ring, report func(string, error)) (err error) {
	if report == nil {
		report = func(string, error) {}
	}
	s.bufs, s.report = bufs, report
	s.eng, s.reason, err = engine.New(engine.Config{Kind: kind, Size: maxBatch, Buffers: bufs, Demoted: report})
	return err
}

func (s *submitter) close() error { return errjoin.Join(s.eng.Close(), s.bufs.Close()) }

// kind returns the engine in use and, where Auto did not pick URing, why.
func (s *submitter) kind() (kind engine.Kind, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.eng.Kind(), s.reason
}

func (s *submitter) stats() (engine.Kind, engine.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.eng.Kind(), s.eng.Stats()
}

// submit has the engine run the batch. A broken engine is replaced.
func (s *submitter) submit(batch []*op) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ops := s.ops[:len(batch)]
	for i, o := range batch {
		ops[i] = &o.Op
	}
	if err := s.eng.Submit(ops); err != nil {
		s.eng, s.reason = engine.Replace(s.eng, err, s.bufs)
		s.report("ring replaced by system calls", s.reason)
		if err := s.eng.Submit(ops); err != nil { // what is not done yet
			panic("reactor: the syscall engine reports an error: " + err.Error())
		}
	}
	clear(ops)
}

// run submits a batch and handles its completions. It returns how many of the ops
// their callers waited for.
func (r *Reactor) run(batch []*op) (asked int) {
	for _, o := range batch {
		if o.prepares {
			o.owner.prepare(o)
		}
	}
	if len(batch) == 1 && batch[0].wakesSysmon {
		sysmon.wake()
	}
	r.submitter.submit(batch)
	r.n.batch(batch)
	// The scheduler runs next who was woken last, and the others after that in order. So
	// the first reader is woken last: what came first is seen first.
	first := slices.IndexFunc(batch, func(o *op) bool { return o.Kind == engine.Recv })
	for i, o := range batch {
		if o.immediate() {
			asked++ // said before o is its owner's again
		}
		if i != first && o.owner.complete(o) == opAgain {
			r.requeue(o)
		}
	}
	if first >= 0 && batch[first].owner.complete(batch[first]) == opAgain {
		r.requeue(batch[first])
	}
	return asked
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

// runAll runs what is pending. The caller is the watcher.
func (r *Reactor) runAll() {
	for r.length() > 0 {
		r.runSome(&r.batch)
	}
}

// submit gets o run: by the loop, with its next batch, if that runs, else here and
// now.
func (r *Reactor) submit(o *op) {
	if !r.push(o) {
		// The loop is ahead of this goroutine in the scheduler's queue. So the op mostly is
		// done on return, and the caller finds its token without having to sleep.
		yield()
		return
	}
	r.runInline(o)
}

// submitLater gets o run with the next batch, by somebody else. No lock may be held.
func (r *Reactor) submitLater(o *op) { r.obey(r.add(o)) }

// runInline runs ops, in one batch, on the calling goroutine.
func (r *Reactor) runInline(ops ...*op) {
	r.n.inline.Add(1)
	buf := r.inline.Get().(*[maxBatch]*op)
	n := copy(buf[:], ops)
	r.run(buf[:n])
	clear(buf[:n])
	// Whatever else is pending is the caller's, too: rule 2 of handoff.
	for r.hasMore() {
		if ran, _ := r.runSome(buf); ran {
			r.n.inline.Add(1)
		}
	}
	r.obey(r.ensure()) // rule 5
	r.inline.Put(buf)
}

// runDirect runs o on the calling goroutine with plain system calls, outside the ring
// and its lock. It reports whether o's call is over; else the call waits for the socket.
func (r *Reactor) runDirect(o *op) (over bool) {
	if o.immediate() {
		r.policy.bypass()
	}
	for {
		engine.Run(&o.Op)
		r.n.alone(o)
		switch o.owner.complete(o) {
		case opOver:
			return true
		case opWaits:
			return false
		}
	}
}
