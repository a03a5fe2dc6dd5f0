package main

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
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
	return middle(ns)
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

// maxCPUs is how many CPUs a unix.CPUSet has room for.
const maxCPUs = 1024

// onCPU binds the calling thread to the CPU with the number i among those there
// are: two threads on one CPU would have nothing to contend for. Where it is not
// allowed, the kernel places them.
func onCPU(i int) {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return
	}
	for cpu := range maxCPUs {
		if !all.IsSet(cpu) {
			continue
		}
		if i--; i < 0 {
			one.Set(cpu)
			_ = unix.SchedSetaffinity(0, &one) // see above
			return
		}
	}
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

// socketCalls measures what a batch is made of, in ns: sending an answer over a
// loopback connection, delivery to the peer included, and receiving one. Both
// ends take turns, so that acknowledgements travel with the next message.
func socketCalls(n int) (send, recv float64, err error) {
	a, b, err := connected()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, unix.Close(a), unix.Close(b)) }()
	msg, buf := []byte(answer), make([]byte, len(answer))
	var sends, recvs []float64
	for range n {
		t0 := time.Now()
		if _, err := unix.Write(a, msg); err != nil {
			return 0, 0, os.NewSyscallError("write", err)
		}
		t1 := time.Now()
		if _, err := unix.Read(b, buf); err != nil { // a blocking socket, and it is there
			return 0, 0, os.NewSyscallError("read", err)
		}
		sends = append(sends, float64(t1.Sub(t0).Nanoseconds()))
		recvs = append(recvs, float64(time.Since(t1).Nanoseconds()))
		a, b = b, a
	}
	return middle(sends), middle(recvs), nil
}

// connected returns both ends of a loopback connection.
func connected() (out, in int, err error) {
	ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, os.NewSyscallError("socket", err)
	}
	defer func() { err = errors.Join(err, unix.Close(ln)) }()
	if err := errors.Join(unix.Bind(ln, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(ln, 1)); err != nil {
		return 0, 0, err
	}
	sa, err := unix.Getsockname(ln)
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockname", err)
	}
	if out, err = dial(sa.(*unix.SockaddrInet4).Port); err != nil {
		return 0, 0, err
	}
	in, _, err = unix.Accept4(ln, unix.SOCK_CLOEXEC)
	if err != nil {
		return 0, 0, errors.Join(os.NewSyscallError("accept4", err), unix.Close(out))
	}
	return out, in, nil
}
