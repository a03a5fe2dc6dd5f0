package reactor

import (
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// TestWritePolicy says for which loads writes wait for the next batch.
func TestWritePolicy(t *testing.T) {
	const us = time.Microsecond
	for _, c := range []struct {
		name   string
		writes int
		each   time.Duration // between two batches, by the number of writes
		direct bool
	}{
		{"HTTP, 256 connections", 20, 5 * us, false},
		{"HTTP, 64 connections on two cores", 10, 5 * us, false},
		{"HTTPS", 10, 8 * us, false},
		{"a handler of 50 µs, always 64 requests", 32, 60 * us, false},
		{"a handler of 50 µs, few requests", 3, 60 * us, true},
		{"a handler of 200 µs, always 64 requests", 32, 205 * us, true},
		{"HTTP, 8 connections", 4, 4 * us, false},
		{"a computation of 10 ms beside 32 writes", 32, 10 * time.Millisecond / 32, true},
	} {
		var p writePolicy
		p.turned(c.writes, time.Duration(c.writes)*c.each)
		if p.impatient.Load() != c.direct {
			t.Errorf("%s: direct writes: %v, want %v", c.name, p.impatient.Load(), c.direct)
		}
		p.turned(0, time.Second)
		if p.impatient.Load() != c.direct {
			t.Errorf("%s: a turn without a write made a difference", c.name)
		}
	}
}

// TestWritesBypassLateBatches looks at what an impatient reactor's writes do.
func TestWritesBypassLateBatches(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := tcpPair(t, r)
		for _, impatient := range []bool{false, true} {
			r.policy.impatient.Store(impatient)
			direct := r.Stats().Direct
			if n, err := a.Write([]byte("ab")); n != 2 || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
			if n, err := a.Writev([][]byte{[]byte("c"), []byte("d")}); n != 2 || err != nil {
				t.Fatalf("Writev: %d, %v", n, err)
			}
			want := uint64(0)
			if impatient {
				want = 2
			}
			if got := r.Stats().Direct - direct; got != want {
				t.Errorf("impatient %v: %d direct writes; want %d", impatient, got, want)
			}
			var got []byte
			for p := make([]byte, 5); len(got) < 4; {
				n, err := sockettest.Read(b, p)
				if n == 0 || err != nil {
					t.Fatal(n, err)
				}
				got = append(got, p[:n]...)
			}
			if string(got) != "abcd" {
				t.Errorf("impatient %v: the peer read %q", impatient, got)
			}
		}
		r.policy.impatient.Store(false)
		r.policy.turned(1, time.Hour)
		if r.policy.direct() {
			t.Error("BatchAll makes no difference")
		}
	})
}

// TestPolicyFollowsSlowHandlers has goroutines compute between Read and Write: the reactor must
// notice, and also notice when they stop it. With one P, it comes last each time, and
// whatever the peer has sent makes few batches, not many.
func TestPolicyFollowsSlowHandlers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	engines(t, func(t *testing.T, kind engine.Kind) {
		cfg := testConfig(kind)
		cfg.BatchAll = false
		r := newReactorWith(t, cfg)
		var compute atomic.Int64 // nanoseconds
		var peers [32]int
		var wg sync.WaitGroup
		for i := range peers {
			var a *FD
			a, peers[i] = tcpPair(t, r)
			wg.Go(func() {
				p := make([]byte, 1000)
				for {
					n, err := a.Read(p)
					if err == io.EOF {
						return
					}
					for start := time.Now(); time.Since(start) < time.Duration(compute.Load()); {
					}
					if err == nil {
						_, err = a.Write(p[:n])
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		round := func() {
			t.Helper()
			for _, b := range peers {
				if _, err := sockettest.Write(b, []byte{1}); err != nil {
					t.Fatal(err)
				}
			}
			for _, b := range peers {
				if n, err := sockettest.Read(b, make([]byte, 1)); n != 1 || err != nil {
					t.Fatalf("the peer read %d, %v", n, err)
				}
			}
		}
		compute.Store(int64(500 * time.Microsecond))
		for range 20 {
			round()
		}
		if !r.policy.impatient.Load() {
			t.Error("writes still wait for batches")
		}
		direct := r.Stats().Direct
		round()
		if r.Stats().Direct == direct {
			t.Error("no write was made directly")
		}
		compute.Store(0)
		for rounds := 0; r.policy.impatient.Load(); rounds++ {
			if rounds == 1000 {
				t.Fatal("writes do not wait for batches again")
			}
			round()
		}
		for _, b := range peers {
			if err := unix.Shutdown(b, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
		}
		wg.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}
