package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/rounds"
)

// critical is a copy of a critical section of the library.
type critical struct {
	lock, what string
	run        func() // locks, does it, unlocks
}

// measure returns the CPU time of a run, in ns, on each of the given number of
// threads that are at it.
func (c critical) measure(d time.Duration, threads int) float64 {
	return perThread(d, threads, func(int) { c.run() })
}

// perThread returns how much CPU time a call of f takes on average, in ns, while the
// given number of threads call it: the median of several tries. CPU time, as the
// time that passes would show what else the machine does, too.
func perThread(d time.Duration, threads int, f func(thread int)) float64 {
	const tries = 5
	var ns []float64
	for range tries {
		ns = append(ns, try(d/tries, threads, f))
	}
	return rounds.Median(ns)
}

func try(d time.Duration, threads int, f func(thread int)) float64 {
	var wg sync.WaitGroup
	var stop atomic.Bool
	var calls, cpu atomic.Int64
	for i := range threads {
		wg.Go(func() {
			runtime.LockOSThread() // to the end: the thread goes with the goroutine
			onCPU(i)
			before, n := threadTime(), int64(0)
			for ; !stop.Load(); n += 64 {
				for range 64 {
					f(i)
				}
			}
			calls.Add(n)
			cpu.Add(threadTime() - before)
		})
	}
	time.Sleep(d)
	stop.Store(true)
	wg.Wait()
	return float64(cpu.Load()) / float64(calls.Load())
}

// threadTime is the CPU time of the calling thread, in ns.
func threadTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err) // every Linux has that clock
	}
	return ts.Nano()
}

// queue is reactor.handoff with its push and take, for ops that are only pointers.
type queue struct {
	mu      sync.Mutex
	running bool
	pending []*int
	head    int
}

// push is handoff.push. It starts over at 64, so that a measurement without takes
// does not grow.
func (q *queue) push(o *int) (inline bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.running {
		return true
	}
	if len(q.pending) == 64 {
		q.pending = q.pending[:0]
	}
	q.pending = append(q.pending, o)
	return false
}

// take is handoff.take, of a full batch: it leaves the queue as it was.
func (q *queue) take(batch []*int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n := range batch {
		batch[n] = q.pending[q.head]
		q.head++
	}
	q.head = 0
}

// table is reactor.slotTable with the look-up of dispatch.
type table struct {
	mu    sync.Mutex
	slots []struct {
		gen     uint32
		handler any
	}
}

func (t *table) lookUp(handlers []any) {
	t.mu.Lock()
	for i := range handlers {
		handlers[i] = nil
		if s := &t.slots[i]; s.gen == 0 {
			handlers[i] = s.handler
		}
	}
	t.mu.Unlock()
}

// scratch hands each thread scratch space of its own.
func scratch[T any](n int) *sync.Pool {
	return &sync.Pool{New: func() any { s := make([]T, n); return &s }}
}

func criticalSections() []critical {
	o := new(int)
	push := &queue{running: true}
	take := &queue{running: true, pending: make([]*int, 64)}
	ops := scratch[*int](64)
	slots := &table{}
	slots.slots = make([]struct {
		gen     uint32
		handler any
	}, 64)
	handlers := scratch[any](64)
	var refs struct {
		sync.Mutex
		n int
	}
	return []critical{
		{"handoff.mu", "push one operation", func() { push.push(o) }},
		{"handoff.mu", "take a batch of 64", func() {
			p := ops.Get().(*[]*int)
			take.take(*p)
			ops.Put(p)
		}},
		{"slotTable.mu", "look up 64 events", func() {
			p := handlers.Get().(*[]any)
			slots.lookUp(*p)
			handlers.Put(p)
		}},
		{"defaultPoller.mu", "count a connection in or out", func() {
			refs.Lock()
			refs.n++
			refs.Unlock()
		}},
	}
}
