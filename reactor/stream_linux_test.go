package reactor

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
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

func TestReadWrite(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		a, b := tcpPair(t, newReactor(t, kind))
		if n, err := a.Write([]byte("ping")); n != 4 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		var buf [16]byte
		if n, err := sockettest.Read(b, buf[:]); string(buf[:max(n, 0)]) != "ping" || err != nil {
			t.Fatalf("the peer read %q, %v", buf[:max(n, 0)], err)
		}
		if _, err := sockettest.Write(b, []byte("pong")); err != nil {
			t.Fatal(err)
		}
		if n, err := a.Read(buf[:]); string(buf[:n]) != "pong" || err != nil {
			t.Fatalf("Read: %q, %v", buf[:n], err)
		}
		if n, err := a.Read(nil); n != 0 || err != nil {
			t.Errorf("Read of nothing: %d, %v", n, err)
		}
		if n, err := a.Write(nil); n != 0 || err != nil {
			t.Errorf("Write of nothing: %d, %v", n, err)
		}
		if err := unix.Shutdown(b, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		for range 2 { // and it stays so
			if n, err := a.Read(buf[:]); n != 0 || err != io.EOF {
				t.Errorf("Read after the peer's half-close: %d, %v", n, err)
			}
		}
	})
}

// TestSmallReads reads in pieces of every size around the small-read threshold;
// every byte must arrive, once and in order.
func TestSmallReads(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := tcpPair(t, r)
		want := make([]byte, 200_000)
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for p := want; len(p) > 0; {
				n, err := sockettest.Write(b, p[:min(len(p), 1+rng.IntN(9000))])
				if err != nil {
					t.Errorf("the peer: %v", err)
					break
				}
				p = p[n:]
			}
			if err := unix.Shutdown(b, unix.SHUT_WR); err != nil {
				t.Errorf("the peer: %v", err)
			}
		})
		var got []byte
		for size := 1; ; size = size*5/4 + 1 {
			if size > 2*defaultSmallRead {
				size = 1
			}
			buf := make([]byte, size)
			n, err := a.Read(buf)
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		wg.Wait()
		if !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, want %d, or they differ", len(got), len(want))
		}
		if s := r.Stats().Buffers; s.Taken == 0 {
			t.Error("no shared buffer was used")
		}
	})
}

// TestBuffersRunOut lets more connections hold a chunk than there are buffers.
func TestBuffersRunOut(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		const conns = 20 // of 8 buffers
		var fds [conns]*FD
		for i := range fds {
			a, b := tcpPair(t, r)
			if _, err := sockettest.Write(b, []byte{byte(i), 'x', 'y'}); err != nil {
				t.Fatal(err)
			}
			fds[i] = a
		}
		for round, want := range []byte{0, 'x', 'y'} {
			for i, a := range fds {
				var p [1]byte
				if round == 0 {
					want = byte(i)
				}
				if n, err := a.Read(p[:]); n != 1 || err != nil || p[0] != want {
					t.Fatalf("conn %d, byte %d: %q, %d, %v", i, round, p, n, err)
				}
			}
		}
		if s := r.Stats().Buffers; s.Empty == 0 || s.InUse != 0 {
			t.Errorf("buffers: %+v: want them to have run out and to be back", s)
		}
	})
}

// TestUrgentData has the peer send out-of-band data, after which a RECV stops at
// the mark although more is there, and no further event comes.
func TestUrgentData(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		a, b := tcpPair(t, newReactor(t, kind))
		for _, m := range []struct {
			data  string
			flags int
		}{{"before", 0}, {"!", unix.MSG_OOB}, {"after", 0}} {
			if err := unix.Sendto(b, []byte(m.data), m.flags, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := unix.Shutdown(b, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		within(t, "reading past the mark", func() {
			got, err := io.ReadAll(fdReader{a})
			if string(got) != "beforeafter" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	})
}

type fdReader struct{ *FD }

func (r fdReader) Read(p []byte) (int, error) { return r.FD.Read(p) }

// TestResetAfterData has the peer send data and then a reset: the data comes
// first, then the error, without another event in between.
func TestResetAfterData(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		for range 50 {
			as, b := sockettest.Pair(t)
			// Data the peer does not read makes its close a reset.
			if _, err := sockettest.Write(as, []byte("unread")); err != nil {
				t.Fatal(err)
			}
			a, err := r.NewFD(as, true)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sockettest.Write(b, []byte("last words")); err != nil {
				t.Fatal(err)
			}
			if err := unix.SetsockoptLinger(b, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
				t.Fatal(err)
			}
			if err := unix.Shutdown(b, unix.SHUT_RDWR); err != nil {
				t.Fatal(err)
			}
			within(t, "reading to the end", func() {
				var all []byte
				var err error
				for err == nil {
					var n int
					p := make([]byte, 5)
					n, err = a.Read(p)
					all = append(all, p[:n]...)
				}
				if string(all) != "last words" || err != io.EOF && !errors.Is(err, unix.ECONNRESET) {
					t.Errorf("got %q, %v", all, err)
				}
			})
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestInjectedFaults injects what a kernel may answer at any time: interruptions, short
// counts, spurious EAGAIN. No byte may be lost or doubled.
func TestInjectedFaults(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := tcpPair(t, r)
		var mu sync.Mutex
		rng := rand.New(rand.NewPCG(3, 4))
		var faults int
		inject(r, func(o *engine.Op) (syscall.Errno, int) {
			mu.Lock()
			defer mu.Unlock()
			if o.Kind != engine.Recv && o.Kind != engine.Send {
				return 0, 0
			}
			faults++
			switch rng.IntN(4) {
			case 0:
				return unix.EINTR, 0
			case 1:
				if o.Pooled {
					return unix.ENOBUFS, 0
				}
			case 2:
				return 0, 1 + rng.IntN(700)
			}
			return 0, 0
		})
		want := bytes.Repeat([]byte("0123456789abcdef!"), 3000)
		var wg sync.WaitGroup
		wg.Go(func() { // the peer echoes
			buf := make([]byte, 3000)
			for left := len(want); left > 0; {
				n, err := sockettest.Read(b, buf)
				if err != nil || n == 0 {
					t.Errorf("the peer read %d, %v", n, err)
					return
				}
				left -= n
				if _, err := sockettest.Write(b, buf[:n]); err != nil {
					t.Errorf("the peer wrote: %v", err)
					return
				}
			}
		})
		wg.Go(func() {
			if n, err := a.Write(want); n != len(want) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		})
		var got []byte
		within(t, "reading the echo", func() {
			for len(got) < len(want) {
				p := make([]byte, 1+len(got)%1000)
				n, err := a.Read(p)
				if err != nil {
					t.Errorf("Read: %v", err)
					break
				}
				got = append(got, p[:n]...)
			}
		})
		wg.Wait()
		if !bytes.Equal(got, want) {
			t.Error("the echo differs")
		}
		mu.Lock()
		defer mu.Unlock()
		if faults < 20 {
			t.Errorf("only %d operations seen", faults)
		}
	})
}

// TestSpuriousEAGAIN answers a RECV with EAGAIN although data is there and an
// event came while it was queued: the epoch rule must have it tried again.
func TestSpuriousEAGAIN(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := tcpPair(t, r)
		var done atomic.Bool
		inject(r, func(o *engine.Op) (syscall.Errno, int) {
			if o.Kind != engine.Recv || done.Swap(true) {
				return 0, 0
			}
			// What the reactor would do on an edge at this moment.
			a.event(unix.EPOLLIN, new([maxEventOps]*op))
			return unix.EAGAIN, 0
		})
		if _, err := sockettest.Write(b, []byte("x")); err != nil {
			t.Fatal(err)
		}
		within(t, "Read", func() {
			var p [1000]byte
			if n, err := a.Read(p[:]); n != 1 || err != nil {
				t.Errorf("Read: %d, %v", n, err)
			}
		})
	})
}

// TestBrokenEngine has a submission fail as a whole: the syscall engine must
// take over without the callers noticing.
func TestBrokenEngine(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := tcpPair(t, r)
		e := inject(r, nil)
		e.mu.Lock()
		e.fail = unix.EBADF
		e.mu.Unlock()
		if n, err := a.Write([]byte("hello")); n != 5 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		var p [10]byte
		if n, err := sockettest.Read(b, p[:]); n != 5 || err != nil {
			t.Fatalf("the peer read %d, %v", n, err)
		}
		if k, reason := r.Engine(); k != engine.Syscall || !errors.Is(reason, unix.EBADF) {
			t.Errorf("engine %v because of %v", k, reason)
		}
		if _, err := sockettest.Write(b, []byte("y")); err != nil {
			t.Fatal(err)
		}
		if n, err := a.Read(p[:1]); n != 1 || err != nil {
			t.Errorf("Read: %d, %v", n, err)
		}
		if s := r.Stats(); s.Buffers.Taken != 1 || s.Buffers.Empty != 0 {
			t.Errorf("the buffers did not outlive the engine: %+v", s.Buffers)
		}
	})
}

// TestBigWrite writes more than any socket buffer holds to a peer that reads
// slowly, so that SEND comes up short and EAGAIN has to wait for EPOLLOUT.
func TestBigWrite(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		a, b := tcpPair(t, newReactor(t, kind))
		want := make([]byte, 16<<20)
		for i := range want {
			want[i] = byte(i * 7 >> 8)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if n, err := a.Write(want); n != len(want) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			if err := a.Shutdown(unix.SHUT_WR); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
		var got []byte
		buf := make([]byte, 100_000)
		for {
			n, err := sockettest.Read(b, buf)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			got = append(got, buf[:n]...)
		}
		wg.Wait()
		if !bytes.Equal(got, want) {
			t.Errorf("the peer got %d bytes of %d, or they differ", len(got), len(want))
		}
	})
}

// TestDirectWrites has a connection with direct writes do what TestBigWrite and
// TestInjectedFaults do.
func TestDirectWrites(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := tcpPair(t, r)
		a.SetDirectWrites()
		want := make([]byte, 8<<20)
		for i := range want {
			want[i] = byte(i * 13 >> 6)
		}
		done := make(chan error, 1)
		go func() {
			_, err := a.Write(want)
			done <- errors.Join(err, a.Shutdown(unix.SHUT_WR))
		}()
		awaitAsleep(t, a, &a.wr) // the socket is full
		var got []byte
		buf := make([]byte, 100_000)
		for {
			n, err := sockettest.Read(b, buf)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			got = append(got, buf[:n]...)
		}
		if err := <-done; err != nil || !bytes.Equal(got, want) {
			t.Errorf("the peer got %d bytes of %d, or they differ (%v)", len(got), len(want), err)
		}
		if r.Stats().Direct == 0 {
			t.Error("no write was direct")
		}
		// Deadlines and Close reach a direct write that waits, too.
		for _, want := range []error{os.ErrDeadlineExceeded, ErrClosed} {
			a, _ := tcpPair(t, r)
			a.SetDirectWrites()
			go func() {
				n, err := a.Write(make([]byte, 64<<20))
				if n == 0 {
					t.Error("nothing was written")
				}
				done <- err
			}()
			awaitAsleep(t, a, &a.wr)
			var err error
			if want == ErrClosed {
				err = a.Close()
			} else {
				err = a.SetDeadline(time.Unix(1, 0), false, true)
			}
			if err != nil {
				t.Fatal(err)
			}
			within(t, "Write", func() {
				if err := <-done; !errors.Is(err, want) {
					t.Errorf("Write: %v, want %v", err, want)
				}
			})
		}
	})
}

// endless is the owner of ops that are run again and again.
type endless struct{ stop atomic.Bool }

func (e *endless) complete(o *op) outcome {
	o.Done = false
	if e.stop.Load() {
		return opOver
	}
	return opAgain
}

func (e *endless) prepare(*op) {}

// TestBusyReactorLooks has a reactor that always has enough to do without looking
// for events. It must look all the same.
func TestBusyReactorLooks(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		s, _ := sockettest.Pair(t)
		t.Cleanup(func() { // when the reactor is closed, and no op uses it any more
			if err := unix.Close(s); err != nil {
				t.Error(err)
			}
		})
		r := newReactor(t, kind)
		a, b := tcpPair(t, r)
		var owner endless
		defer owner.stop.Store(true)
		for range 3 * maxBatch {
			o := new(op)
			o.init(&owner, engine.Recv, s) // nothing to receive
			o.Buf = make([]byte, 1)
			r.submitLater(o)
		}
		p := make([]byte, 1000)
		for range 20 {
			if _, err := sockettest.Write(b, []byte("y")); err != nil {
				t.Fatal(err)
			}
			within(t, "Read", func() {
				if n, err := a.Read(p); n != 1 || err != nil {
					t.Errorf("Read: %d, %v", n, err)
				}
			})
		}
	})
}

func TestDeadlines(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		a, b := tcpPair(t, newReactor(t, kind))
		var p [600]byte
		past := time.Unix(1, 0)
		set := func(tm time.Time) {
			t.Helper()
			if err := a.SetDeadline(tm, true, true); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := sockettest.Write(b, []byte("data")); err != nil {
			t.Fatal(err)
		}
		set(past)
		if n, err := a.Read(p[:]); n != 0 || !isTimeout(err) {
			t.Errorf("a past deadline, and data there: %d, %v", n, err)
		}
		if n, err := a.Write([]byte("x")); n != 0 || !isTimeout(err) {
			t.Errorf("Write after the deadline: %d, %v", n, err)
		}
		set(time.Time{})
		if n, err := a.Read(p[:]); string(p[:n]) != "data" || err != nil {
			t.Errorf("after clearing: %q, %v", p[:n], err)
		}
		set(time.Now().Add(30 * time.Millisecond))
		start := time.Now()
		if n, err := a.Read(p[:1]); n != 0 || !isTimeout(err) {
			t.Errorf("a deadline that passes: %d, %v", n, err)
		}
		if d := time.Since(start); d < 20*time.Millisecond {
			t.Errorf("it passed after %v already", d)
		}
		set(time.Now().Add(time.Hour))
		woken := make(chan error, 1)
		go func() {
			_, err := a.Read(p[:])
			woken <- err
		}()
		awaitAsleep(t, a, &a.rd)
		set(past)
		within(t, "Read", func() {
			if err := <-woken; !isTimeout(err) {
				t.Errorf("a deadline set while reading: %v", err)
			}
		})
	})
}

// awaitAsleep waits until a call on s sleeps.
func awaitAsleep(t testing.TB, fd *FD, s *side) {
	t.Helper()
	within(t, "getting a call to wait", func() {
		for {
			fd.mu.Lock()
			asleep := s.state.asleep()
			fd.mu.Unlock()
			if asleep {
				return
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
}

// TestWriteDeadline lets a write block in a full socket until its deadline; the
// count it returns must be what the peer receives.
func TestWriteDeadline(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		a, b := tcpPair(t, newReactor(t, kind))
		var n int
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			n, err = a.Write(make([]byte, 64<<20))
		}()
		awaitAsleep(t, a, &a.wr)
		if err := a.SetDeadline(time.Unix(1, 0), false, true); err != nil {
			t.Fatal(err)
		}
		within(t, "Write", func() { <-done })
		if !isTimeout(err) || n == 0 {
			t.Fatalf("Write: %d, %v", n, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		got, buf := 0, make([]byte, 1<<20)
		for {
			k, err := sockettest.Read(b, buf)
			if err != nil {
				t.Fatal(err)
			}
			if k == 0 {
				break
			}
			got += k
		}
		if got != n {
			t.Errorf("Write said %d, the peer got %d", n, got)
		}
	})
}

func TestCloseWakes(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, _ := tcpPair(t, r)
		errs := make(chan error, 3)
		go func() {
			_, err := a.Read(make([]byte, 10))
			errs <- err
		}()
		go func() {
			_, err := a.Write(make([]byte, 64<<20))
			errs <- err
		}()
		awaitAsleep(t, a, &a.rd)
		awaitAsleep(t, a, &a.wr)
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		within(t, "waking", func() {
			for range 2 {
				if err := <-errs; !errors.Is(err, ErrClosed) {
					t.Errorf("woken with %v", err)
				}
			}
		})
		if err := a.Close(); !errors.Is(err, ErrClosed) {
			t.Errorf("the second Close: %v", err)
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("Read after Close: %v", err)
		}
		if _, err := a.Write(make([]byte, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("Write after Close: %v", err)
		}
		if err := a.Shutdown(unix.SHUT_WR); !errors.Is(err, ErrClosed) {
			t.Errorf("Shutdown after Close: %v", err)
		}
		if err := a.SetDeadline(time.Now(), true, true); !errors.Is(err, ErrClosed) {
			t.Errorf("SetDeadline after Close: %v", err)
		}
		if err := a.Control(func(int) error { return nil }); !errors.Is(err, ErrClosed) {
			t.Errorf("Control after Close: %v", err)
		}
	})
}

// TestCloseWaitsForHolders has a call use the descriptor while it is closed: it
// must stay valid until the call is over.
func TestCloseWaitsForHolders(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, _ := tcpPair(t, r)
		entered, release := make(chan bool), make(chan bool)
		held, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			held <- a.Control(func(sysfd int) error {
				entered <- true
				<-release
				_, err := unix.Getpeername(sysfd)
				return err
			})
		}()
		<-entered
		go func() { closed <- a.Close() }()
		within(t, "starting to close", func() {
			for !errors.Is(a.Control(func(int) error { return nil }), ErrClosed) {
				time.Sleep(100 * time.Microsecond)
			}
		})
		// Give a Close that does not wait the time to go wrong: its op needs the reactor.
		b, _ := tcpPair(t, r)
		if _, err := b.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-closed:
			t.Errorf("Close returned under a holder: %v", err)
		default:
		}
		close(release)
		within(t, "closing", func() {
			if err := <-held; err != nil {
				t.Errorf("the holder: %v", err)
			}
			if err := <-closed; err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	})
}

// TestSlotGenerations has a slot used again: an event that was under way for its
// last user must not reach the next one.
func TestSlotGenerations(t *testing.T) {
	r := newReactor(t, engine.Auto)
	a, _ := tcpPair(t, r)
	old := a.id
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b, _ := tcpPair(t, r)
	if b.id.index != old.index || b.id.gen == old.gen {
		t.Errorf("ids %v, then %v: want the same slot and another generation", old, b.id)
	}
	defer func() {
		if recover() == nil {
			t.Error("leaving a slot twice went unnoticed")
		}
	}()
	r.poll.slots.leave(old)
}

// TestSharedLeavesEpoll closes a connection of which there is a duplicate: its
// epoll registration, which does not end with the descriptor then, must.
func TestSharedLeavesEpoll(t *testing.T) {
	r := newReactor(t, engine.Auto)
	a, _ := tcpPair(t, r)
	dup := -1
	if err := a.ControlShared(func(sysfd int) (err error) {
		dup, err = unix.Dup(sysfd)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dup)
	number := int(a.sysfd)
	if !watchedByEpoll(t, r, number) {
		t.Fatal("not in the epoll set")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	// The epoll set knows what it watches by file and number. Nobody else opens files
	// here, so the number is free.
	if err := unix.Dup3(dup, number, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(number)
	if watchedByEpoll(t, r, number) {
		t.Error("still in the epoll set after Close")
	}
}

// TestCloseRaces closes descriptors at any moment of reads, writes and deadlines
// in other goroutines.
func TestCloseRaces(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		for i := range 200 {
			as, b := sockettest.Pair(t)
			a, err := r.NewFD(as, true)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sockettest.Write(b, make([]byte, i%7*100)); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					p := make([]byte, 1+i%600)
					for {
						if _, err := a.Read(p); err != nil {
							return
						}
					}
				})
				wg.Go(func() {
					p := make([]byte, 1+i*1000)
					for {
						if _, err := a.Write(p); err != nil {
							return
						}
					}
				})
				wg.Go(func() {
					for {
						if err := a.SetDeadline(time.Now().Add(time.Millisecond), true, true); err != nil {
							return
						}
					}
				})
			}
			closes := make(chan error, 2)
			for range 2 {
				wg.Go(func() { closes <- a.Close() })
			}
			within(t, "closing", wg.Wait)
			if e1, e2 := <-closes, <-closes; (e1 == nil) == (e2 == nil) {
				t.Fatalf("two Closes: %v, %v", e1, e2)
			}
		}
	})
}

// TestReactorCloseWakes closes a reactor under its descriptors.
func TestReactorCloseWakes(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r, err := New(testConfig(kind))
		if err != nil {
			t.Fatal(err)
		}
		a, b := tcpPair(t, r)
		if _, err := sockettest.Write(b, []byte("xy")); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(make([]byte, 1)); err != nil { // leaves a chunk
			t.Fatal(err)
		}
		l, err := r.NewListener(sockettest.Listener(t))
		if err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 2)
		go func() {
			_, err := a.Write(make([]byte, 64<<20))
			errs <- err
		}()
		go func() {
			_, err := l.Accept()
			errs <- err
		}()
		awaitAsleep(t, a, &a.wr)
		within(t, "closing the reactor", func() {
			if err := r.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			for range 2 {
				if err := <-errs; !errors.Is(err, ErrClosed) {
					t.Errorf("woken with %v", err)
				}
			}
		})
		if err := r.Close(); !errors.Is(err, ErrClosed) {
			t.Errorf("the second Close: %v", err)
		}
		s, _ := sockettest.Pair(t)
		if _, err := r.NewFD(s, true); !errors.Is(err, ErrClosed) {
			t.Errorf("NewFD after Close: %v", err)
		}
		if err := unix.Close(s); err != nil {
			t.Error(err)
		}
	})
}

func TestNoAllocations(t *testing.T) {
	if raceBuild {
		t.Skip("the race detector allocates")
	}
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := tcpPair(t, r)
		msg, buf := make([]byte, 1000), make([]byte, 1000)
		if n := testing.AllocsPerRun(200, func() {
			if _, err := a.Write(msg); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("Write allocates %v times", n)
		}
		// The peer must be gone before its descriptor is closed, and another test gets
		// the number: it would take that test's bytes.
		var peer sync.WaitGroup
		defer peer.Wait()
		defer func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}()
		peer.Go(func() { // b's bytes come back to a
			p := make([]byte, 4096)
			for {
				n, err := sockettest.Read(b, p)
				if n <= 0 || err != nil {
					return
				}
				if _, err := sockettest.Write(b, p[:n]); err != nil {
					return
				}
			}
		})
		for _, size := range []int{1000, 100} {
			if n := testing.AllocsPerRun(200, func() {
				if _, err := a.Write(msg[:size]); err != nil {
					t.Error(err)
				}
				if _, err := a.Read(buf[:size]); err != nil {
					t.Error(err)
				}
			}); n != 0 {
				t.Errorf("Write and Read of %d bytes allocate %v times", size, n)
			}
		}
		past := time.Unix(1, 0)
		if n := testing.AllocsPerRun(200, func() {
			a.SetDeadline(past, true, false)
			a.SetDeadline(time.Time{}, true, false)
		}); n != 0 {
			t.Errorf("setting a past deadline and none allocates %v times", n)
		}
		// With two calls parked, the loop stays. Each interrupt makes it go round once.
		var wg sync.WaitGroup
		defer wg.Wait()
		for range 2 {
			b, peer := tcpPair(t, r)
			defer unix.Shutdown(peer, unix.SHUT_WR)
			wg.Go(func() {
				if _, err := b.Read(make([]byte, 1000)); err != io.EOF {
					t.Errorf("Read: %v, want EOF", err)
				}
			})
		}
		for r.waiting() < 2 {
			runtime.Gosched()
		}
		awaitLoop(t, r)
		parks := r.n.parks.Load()
		if n := testing.AllocsPerRun(50, func() {
			r.alarms.interrupt()
			for p := parks; p == parks; parks = r.n.parks.Load() {
				time.Sleep(10 * time.Microsecond)
			}
		}); n != 0 {
			t.Errorf("an idle pass allocates %v times", n)
		}
	})
}

func TestConfigErrors(t *testing.T) {
	if _, err := New(Config{Engine: 9, Buffers: 4, BufferSize: 4096}); err == nil {
		t.Error("an unknown engine was accepted")
	}
	if _, err := New(Config{Buffers: 3, BufferSize: 4096}); err == nil {
		t.Error("three buffers were accepted")
	}
	if _, err := New(Config{Buffers: 4, BufferSize: 1}); err == nil {
		t.Error("buffers of one byte were accepted")
	}
	r := newReactor(t, engine.Auto)
	if kind, reason := r.Engine(); (kind == engine.URing) != (reason == nil) {
		t.Errorf("auto picked %v because of %v", kind, reason)
	}
}
