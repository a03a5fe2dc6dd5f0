package reactor

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// TestWatchersChange runs connections that are now alone on their reactor, now
// in company, so that the reactor's goroutine and leaders take turns watching all
// the time, while deadlines and other callers interfere. A lost wake-up hangs it.
func TestWatchersChange(t *testing.T) {
	t.Run("direct", func(t *testing.T) { testWatchersChange(t, 0) })
	t.Run("buffered", func(t *testing.T) { testWatchersChange(t, 1000) })
}

func testWatchersChange(t *testing.T, writeBuffer int) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		const conns, rounds = 3, 1500
		within(t, "the traffic", func() {
			var wg sync.WaitGroup
			for i := range conns {
				fd, peer := tcpPair(t, r)
				rounds := rounds
				if i > 0 { // the first connection is alone in the end, and leads
					rounds /= 2
					if err := fd.SetCoalescing(writeBuffer); err != nil {
						t.Fatal(err)
					}
				}
				echoPeer(&wg, peer)
				wg.Go(func() {
					defer fd.Shutdown(unix.SHUT_WR)
					rnd := rand.New(rand.NewPCG(uint64(i), 1))
					msg, buf := make([]byte, 700), make([]byte, 700)
					for round := range rounds {
						if i > 0 && rnd.IntN(200) == 0 {
							time.Sleep(time.Duration(rnd.IntN(1000)) * time.Microsecond) // leaves the others in less company
						}
						n := 1 + rnd.IntN(len(msg))
						for j := range n {
							msg[j] = byte(round + i + j)
						}
						if _, err := fd.Write(msg[:n]); err != nil {
							t.Error(err)
							return
						}
						if err := readThrough(fd, buf[:n], rnd); err != nil {
							t.Error(err)
							return
						}
						if !bytes.Equal(buf[:n], msg[:n]) {
							t.Errorf("connection %d, round %d: the echo differs", i, round)
							return
						}
					}
				})
			}
			wg.Wait()
		})
		if s := r.Stats(); s.Leads == 0 || s.Parks == 0 {
			t.Errorf("the watcher never changed: %d leads, %d parks", s.Leads, s.Parks)
		}
	})
}

// readThrough fills p although deadlines pass in the middle.
func readThrough(fd *FD, p []byte, rnd *rand.Rand) error {
	for len(p) > 0 {
		if rnd.IntN(4) == 0 {
			interrupted := make(chan struct{})
			go func() {
				fd.SetDeadline(time.Unix(1, 0), true, false)
				close(interrupted)
			}()
			defer func() { <-interrupted }()
		}
		n, err := fd.Read(p)
		p = p[n:]
		if isTimeout(err) {
			err = fd.SetDeadline(time.Time{}, true, false)
		}
		if err != nil {
			return err
		}
	}
	return fd.SetDeadline(time.Time{}, true, false)
}

// echoPeer sends back what comes from the blocking socket fd.
func echoPeer(wg *sync.WaitGroup, fd int) {
	wg.Go(func() {
		p := make([]byte, 4096)
		for {
			n, err := sockettest.Read(fd, p)
			if n <= 0 || err != nil {
				return
			}
			if _, err := sockettest.Write(fd, p[:n]); err != nil {
				return
			}
		}
	})
}

// A leader has to be woken by whatever ends its call, and the next caller that
// parks must be able to lead.
func TestLeaderIsInterrupted(t *testing.T) {
	read := func(fd *FD) chan error {
		c := make(chan error, 1)
		go func() {
			_, err := fd.Read(make([]byte, 1000))
			c <- err
		}()
		return c
	}
	want := func(what string, c chan error, want error) {
		t.Helper()
		within(t, what, func() {
			if err := <-c; !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		})
	}
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		fd, peer := tcpPair(t, r)
		other, otherPeer := tcpPair(t, r)
		for range 20 {
			first := read(fd)
			awaitLeader(t, r, &fd.rd.waiter)
			if err := fd.SetDeadline(time.Unix(1, 0), true, false); err != nil {
				t.Fatal(err)
			}
			want("a deadline", first, os.ErrDeadlineExceeded)
			if err := fd.SetDeadline(time.Time{}, true, false); err != nil {
				t.Fatal(err)
			}
		}
		leave := read(fd)
		awaitLeader(t, r, &fd.rd.waiter)
		stay := read(other)
		awaitAsleep(t, other, &other.rd)
		if _, err := sockettest.Write(peer, []byte("x")); err != nil {
			t.Fatal(err)
		}
		want("data for the leader", leave, nil)
		if _, err := sockettest.Write(otherPeer, []byte("x")); err != nil {
			t.Fatal(err)
		}
		want("data for whom it leaves behind", stay, nil)
	})
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		fd, peer := tcpPair(t, r)
		other, otherPeer := tcpPair(t, r)
		first := read(fd)
		awaitLeader(t, r, &fd.rd.waiter)
		second := read(other) // in company
		awaitAsleep(t, other, &other.rd)
		if _, err := sockettest.Write(otherPeer, []byte("x")); err != nil {
			t.Fatal(err)
		}
		want("company's data", second, nil)
		if _, err := sockettest.Write(peer, []byte("x")); err != nil {
			t.Fatal(err)
		}
		want("the leader's data", first, nil)

		first = read(fd)
		awaitAsleep(t, fd, &fd.rd)
		if err := fd.Close(); err != nil {
			t.Fatal(err)
		}
		want("Close", first, ErrClosed)
		second = read(other)
		awaitAsleep(t, other, &other.rd)
		if err := unix.Shutdown(otherPeer, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		want("the peer's end", second, io.EOF)
	})
}

// awaitLeader waits until c is asleep on the epoll descriptor.
func awaitLeader(t testing.TB, r *Reactor, c *waiter) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); r.leader.asleep.Load() != c; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("the call does not lead: watcher %d, %d parked", r.watcher.Load(), r.parked.Load())
		}
	}
}

// awaitLoop waits until the reactor's goroutine is asleep. If a leader has others, it
// is made to notice.
func awaitLoop(t testing.TB, r *Reactor) {
	t.Helper()
	asleep := func() bool {
		r.handoff.mu.Lock()
		recall := r.watcher.Load() == watchedByLeader && r.parked.Load() > 0
		if recall {
			r.recalled.Store(true)
		}
		asleep := r.watcher.Load() == watchedByLoop && !r.running
		r.handoff.mu.Unlock()
		if recall {
			r.alarms.interrupt()
		}
		return asleep
	}
	for end := time.Now().Add(20 * time.Second); !asleep(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("the loop does not sleep: watcher %d, %d parked", r.watcher.Load(), r.parked.Load())
		}
	}
}

// A buffered write has to go out even if no call waits afterwards that would lead,
// and whatever the reactor's goroutine is doing at the time.
func TestBufferedWriteWhileRetiring(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		fd, peer := tcpPair(t, r)
		if err := fd.SetCoalescing(1000); err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(1, 2))
		within(t, "the writes", func() {
			var p [1]byte
			for i := range 1000 {
				if _, err := fd.Write([]byte{byte(i)}); err != nil {
					t.Error(err)
					return
				}
				if n, err := sockettest.Read(peer, p[:]); n != 1 || err != nil || p[0] != byte(i) {
					t.Errorf("write %d: %d, %v, %d", i, n, err, p[0])
					return
				}
				for range rnd.IntN(100) { // meets the reactor at different points
					runtime.Gosched()
				}
			}
		})
	})
}

// TestNobodyWaitsForBufferedWrites has more bytes buffered than the socket takes,
// while no call waits for the reactor: somebody must watch for room all the same.
func TestNobodyWaitsForBufferedWrites(t *testing.T) {
	want := numbered(8 << 20)
	for name, then := range map[string]func(t *testing.T, r *Reactor, fd *FD){
		"the reactor would retire": func(*testing.T, *Reactor, *FD) {},
		"Close lingers": func(t *testing.T, _ *Reactor, fd *FD) {
			if err := fd.Close(); err != nil {
				t.Error(err)
			}
		},
		"a leader leaves": func(t *testing.T, r *Reactor, _ *FD) {
			other, peer := tcpPair(t, r)
			done := make(chan error, 1)
			go func() {
				_, err := other.Read(make([]byte, 1000))
				done <- err
			}()
			awaitAsleep(t, other, &other.rd)
			if _, err := sockettest.Write(peer, []byte("x")); err != nil {
				t.Fatal(err)
			}
			within(t, "the other connection's Read", func() {
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, kind engine.Kind) {
				r := newReactor(t, kind)
				fd, peer := unregisteredPair(t, r)
				if err := fd.SetCoalescing(len(want) + 1); err != nil {
					t.Fatal(err)
				}
				if n, err := fd.Write(want); n != len(want) || err != nil {
					t.Fatalf("Write: %d, %v", n, err)
				}
				then(t, r, fd)
				got := make([]byte, len(want))
				if n, err := io.ReadFull(peerReader(peer), got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes of %d arrived, %v", n, len(want), err)
				}
				within(t, "the end", func() {
					for r.roomWaiters.Load() != 0 {
						runtime.Gosched()
					}
				})
			})
		})
	}
}
