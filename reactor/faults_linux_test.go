package reactor

import (
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// Whoever ends a call may come to interrupt its watcher after the reactor has gone.
func TestNothingReachesAReactorThatIsGone(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		fd, _ := tcpPair(t, r)
		if err := fd.SetDeadline(time.Now().Add(time.Hour), true, true); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := fd.Read(make([]byte, 1000))
			done <- err
		}()
		awaitLeader(t, r, &fd.rd.waiter)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != ErrClosed {
			t.Errorf("Read: %v", err)
		}
		// The leader was about to be interrupted.
		var late waiter
		r.leader.asleep.Store(&late)
		r.notify(&late)
		r.alarms.interrupt()
		// A call whose end is decided, but which has not been woken, comes to wait.
		var call waiter
		waited := make(chan struct{})
		go func() {
			defer close(waited)
			r.await(&call)
		}()
		for r.parked.Load() == 0 {
			runtime.Gosched()
		}
		r.notify(&call)
		within(t, "a late call", func() { <-waited })
		// An alarm went off just before.
		fd.alarmed(&fd.rd.waiter)
		fd.abandon()
		if err := fd.SetDeadline(time.Now(), true, true); err != ErrClosed {
			t.Errorf("SetDeadline: %v", err)
		}
		if n := len(r.alarms.heap); n != 0 {
			t.Errorf("%d alarms are left", n)
		}
	})
}

// A queue that never runs empty does not grow.
func TestQueueThatNeverRunsEmpty(t *testing.T) {
	var h handoff
	ops := make([]*op, 100)
	for i := range ops {
		ops[i] = &op{Op: engine.Op{FD: int32(i)}}
	}
	h.requeue(ops...)
	var buf [7]*op
	next := 0
	for range 100_000 {
		batch := h.take(buf[:], 1<<20)
		for _, o := range batch {
			if int(o.FD) != next {
				t.Fatalf("took op %d, want %d", o.FD, next)
			}
			next = (next + 1) % len(ops)
		}
		h.requeue(batch...)
	}
	if n := cap(h.pending.ops); n > 4*len(ops) {
		t.Errorf("the queue of %d ops has room for %d", len(ops), n)
	}
}

// A write that timed out has found the socket full. The next one looks again: there
// may be room, though not enough for an event.
func TestWriteAfterOneThatTimedOut(t *testing.T) {
	small := []byte("small")
	for name, write := range map[string]func(fd *FD, p []byte) (int, error){
		"Write":  (*FD).Write,
		"Writev": func(fd *FD, p []byte) (int, error) { return fd.Writev([][]byte{p}) },
		"buffered": func(fd *FD, p []byte) (int, error) {
			n, err := fd.Write(p)
			if err == nil {
				err = fd.Flush()
			}
			return n, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, kind engine.Kind) {
				r := newReactor(t, kind)
				fd, peer := tcpPair(t, r)
				if name == "buffered" {
					if err := fd.SetCoalescing(1000); err != nil {
						t.Fatal(err)
					}
				}
				// The socket has room, and epoll says so once. Then it answers as if full.
				awaitEvents(t, r)
				var full atomic.Bool
				full.Store(true)
				inject(r, func(o *engine.Op) (syscall.Errno, int) {
					if o.Kind != engine.Recv && full.Load() {
						return unix.EAGAIN, 0
					}
					return 0, 0
				})
				if err := fd.SetDeadline(time.Now().Add(5*time.Millisecond), false, true); err != nil {
					t.Fatal(err)
				}
				if _, err := write(fd, small); !isTimeout(err) {
					t.Fatalf("a write to a full socket: %v", err)
				}
				full.Store(false)
				if err := fd.SetDeadline(time.Now().Add(20*time.Second), false, true); err != nil {
					t.Fatal(err)
				}
				if n, err := write(fd, small); n != len(small) || err != nil {
					t.Errorf("the next one: %d, %v", n, err)
				}
				want := "small"
				if name == "buffered" {
					want = "smallsmall" // the first was accepted
				}
				got := make([]byte, len(want))
				if _, err := io.ReadFull(peerReader(peer), got); string(got) != want || err != nil {
					t.Errorf("the peer has %q, %v; want %q", got, err, want)
				}
			})
		})
	}
}

// awaitEvents has r handle the events that there are.
func awaitEvents(t testing.TB, r *Reactor) {
	t.Helper()
	if !r.handoff.lead() {
		t.Fatal("somebody watches")
	}
	for r.poll.collect(maxEvents) > 0 {
		r.dispatch()
	}
	r.obey(r.leave(false))
}

// A read of what is there goes past the batches, too, if those are late, and a read
// that finds nothing waits for one.
func TestReadsBypassLateBatches(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		fd, peer := tcpPair(t, r)
		r.policy.impatient.Store(true)
		for _, size := range []int{1, 1000} {
			if _, err := sockettest.Write(peer, []byte("abc")); err != nil {
				t.Fatal(err)
			}
			fd.mu.Lock()
			fd.rd.waiter.event()
			fd.mu.Unlock()
			direct, bypassed := r.n.direct.Load(), r.policy.bypassed.Load()
			var got []byte
			for p := make([]byte, size); len(got) < 3; {
				n, err := fd.Read(p)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, p[:n]...)
			}
			if string(got) != "abc" {
				t.Errorf("read %q", got)
			}
			if r.n.direct.Load() == direct || r.policy.bypassed.Load() == bypassed {
				t.Errorf("reads of %d bytes waited for a batch", size)
			}
		}
		// A new connection's reads, which are direct, say nothing about batches.
		unregistered, itsPeer := unregisteredPair(t, r)
		if _, err := sockettest.Write(itsPeer, []byte("x")); err != nil {
			t.Fatal(err)
		}
		bypassed := r.policy.bypassed.Load()
		if _, err := unregistered.Read(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if r.policy.bypassed.Load() != bypassed {
			t.Error("a new connection's read counts as one that could have waited for a batch")
		}
	})
}

// Alarms are set, moved and taken back in any order; at each time, those due and no
// others go off.
func TestAlarms(t *testing.T) {
	r := newReactor(t, engine.Syscall)
	fd, _ := tcpPair(t, r)
	fd.mu.Lock() // what set and drop want
	defer fd.mu.Unlock()
	var ws [50]waiter
	at := map[*waiter]time.Duration{}
	base := monotonic() + time.Hour
	for i := range 2000 {
		w := &ws[(i*37)%len(ws)]
		w.alarm.owner = fd
		switch t := base + time.Duration((i*7919)%1000); {
		case i%5 == 0:
			r.alarms.drop(w)
			delete(at, w)
		default:
			r.alarms.set(t, w)
			if old, ok := at[w]; !ok || t < old {
				at[w] = t
			}
		}
		if i%97 == 0 {
			now := base + time.Duration((i*31)%1000)
			for w := r.alarms.pop(now); w != nil; w = r.alarms.pop(now) {
				if due, ok := at[w]; !ok || due > now {
					t.Fatalf("an alarm for %v (set: %v) went off at %v", due, ok, now)
				}
				delete(at, w)
				r.alarms.heard(w)
			}
			for _, due := range at {
				if due <= now {
					t.Fatalf("an alarm for %v did not go off at %v", due, now)
				}
			}
		}
		var first time.Duration
		for _, due := range at {
			if first == 0 || due < first {
				first = due
			}
		}
		if next := time.Duration(r.alarms.next.Load()); next != first || len(r.alarms.heap) != len(at) {
			t.Fatalf("step %d: the next alarm is at %v of %d, want %v of %d", i, next, len(r.alarms.heap), first, len(at))
		}
	}
	for i := range ws {
		r.alarms.drop(&ws[i])
	}
}

// The clock is the same inside a bubble and outside, and a time from any clock is
// placed on it by how far away it is.
func TestMonotonic(t *testing.T) {
	before := monotonic()
	inside(t, func() {
		if !inBubble() {
			t.Error("inBubble reports false in a bubble")
		}
		now := monotonic()
		if now < before || now > before+time.Minute {
			t.Errorf("the clock jumps from %v to %v in a bubble", before, now)
		}
		if at := toMonotonic(time.Now().Add(time.Hour)); at < before+time.Hour || at > now+time.Hour+time.Minute {
			t.Errorf("an hour later is %v after %v", at-now, now)
		}
		if at := toMonotonic(time.Now().Add(-time.Hour)); at != past {
			t.Errorf("an hour ago is %v", at)
		}
	})
	if inBubble() {
		t.Error("inBubble reports true outside")
	}
	now := time.Now()
	for what, tm := range map[string]time.Time{"monotonic": now, "wall clock": now.Round(0)} {
		if at := toMonotonic(tm.Add(time.Hour)); at < before+time.Hour || at > monotonic()+time.Hour+time.Second {
			t.Errorf("%s: an hour later is %v, now is %v", what, at, monotonic())
		}
		if at := toMonotonic(tm.Add(-1000 * time.Hour)); at != past {
			t.Errorf("%s: long ago is %v", what, at)
		}
		if at := toMonotonic(tm.Add(1<<63 - 1)); at < 1<<61 {
			t.Errorf("%s: the far future is %v", what, at)
		}
	}
}

// What comes first is seen first: the end of one connection, and data on another.
func TestWhatComesFirstIsSeenFirst(t *testing.T) {
	if raceBuild {
		t.Skip("with the race detector, calls wait on a mutex, whose waiters run in an order of their own")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // goroutines run in the order they are woken in
	const rounds, tolerated = 5, 1                  // a goroutine may be preempted before it has said what it has seen
	engines(t, func(t *testing.T, kind engine.Kind) {
		for _, unregistered := range []bool{false, true} {
			for _, lead := range []string{"the one that ends", "the one with data", "a third", "the loop"} {
				wrong := 0
				for range rounds {
					if !endIsSeenFirst(t, kind, unregistered, lead) {
						wrong++
					}
				}
				if wrong > tolerated {
					t.Errorf("unregistered %v, watched by %s: the data was seen first %d times of %d", unregistered, lead, wrong, rounds)
				}
			}
		}
	})
}

// endIsSeenFirst has one connection end and another get data at the same time, but in
// this order, while lead watches for them, and reports whether their readers saw them in
// this order. unregistered connections wait for the first time.
func endIsSeenFirst(t *testing.T, kind engine.Kind, unregistered bool, lead string) bool {
	r := newReactor(t, kind)
	defer r.Close()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var seen []string
	await := func(n int) {
		for got := 0; got < n; {
			runtime.Gosched()
			mu.Lock()
			got = len(seen)
			mu.Unlock()
		}
	}
	wait := func(fd *FD) { // in vain
		for _, deadline := range []time.Time{time.Now().Add(time.Millisecond), {}} {
			if err := fd.SetDeadline(deadline, true, false); err != nil {
				t.Fatal(err)
			}
			if deadline.IsZero() {
				return
			}
			if _, err := fd.Read(make([]byte, 1000)); !isTimeout(err) {
				t.Fatal(err)
			}
		}
	}
	// The socket's first event says that it has room. While that is in the epoll set,
	// what else happens to the socket keeps its place; when it comes, a leader with
	// company hands over to the loop.
	events := uint64(0)
	type end struct {
		fd   *FD
		peer int
	}
	var ready []end
	for range 4 {
		var e end
		e.fd, e.peer = unregisteredPair(t, r)
		if !unregistered {
			wait(e.fd)
			events++
		}
		ready = append(ready, e)
	}
	reader := func(name string) (peer int) {
		fd, peer := ready[0].fd, ready[0].peer
		ready = ready[1:]
		if unregistered {
			events++
		}
		n := r.waiting()
		wg.Go(func() {
			_, err := fd.Read(make([]byte, 1000))
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, name)
			if err != nil && err != io.EOF {
				t.Error(err)
			}
		})
		for r.waiting() == n || r.poll.reported.Load() < events {
			time.Sleep(100 * time.Microsecond)
		}
		return peer
	}
	var others []int
	var ends, data int
	switch lead {
	case "the one that ends":
		ends, data = reader("end"), reader("data")
	case "the one with data":
		data, ends = reader("data"), reader("end")
	default:
		others = append(others, reader("other"), reader("other"))
		ends, data = reader("end"), reader("data")
	}
	if lead == "the loop" {
		if _, err := sockettest.Write(others[0], []byte("x")); err != nil { // the leader's
			t.Fatal(err)
		}
		await(1)
		awaitLoop(t, r)
		seen = nil
	}
	// No goroutine runs between these.
	if err := unix.Shutdown(ends, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	if _, err := sockettest.Write(data, []byte("x")); err != nil {
		t.Fatal(err)
	}
	await(2)
	inOrder := seen[0] == "end" && seen[1] == "data"
	for _, peer := range others {
		if err := unix.Shutdown(peer, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	return inOrder
}
