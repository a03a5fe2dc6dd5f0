package netring

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The differential tests run a random sequence of operations on package net and on
// netring, with the same seed, and compare the results. Where the result depends on
// timing, the tests check what must hold in every run. No byte is lost, doubled or
// reordered, and the counts are correct. All errors are of kinds that package net returns.

// script is a sequence of operations on both ends of a connection, drawn from data: a
// seed, or the fuzzer's input.
type script struct {
	data []byte
	pos  int
}

func (s *script) next(n int) int {
	if s.pos >= len(s.data) || n <= 1 {
		return 0
	}
	b := int(s.data[s.pos])
	s.pos++
	return b % n
}

func (s *script) done() bool { return s.pos >= len(s.data) }

// errKind names the kind of an error, as programs distinguish errors.
func errKind(err error) string {
	var oe *net.OpError
	switch {
	case err == nil:
		return "nil"
	case err == io.EOF:
		return "EOF"
	case !errors.As(err, &oe):
		return fmt.Sprintf("not an OpError: %#v", err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return oe.Op + " timeout"
	case errors.Is(err, net.ErrClosed):
		return oe.Op + " closed"
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return fmt.Sprintf("%s %d", oe.Op, int(errno))
	}
	return fmt.Sprintf("%s %v", oe.Op, oe.Err)
}

// runSequential runs the script in one goroutine, so that every result is determined,
// and returns a transcript.
func runSequential(t testing.TB, s *stack, data []byte) string {
	a, b := s.pair(t)
	sc := &script{data: data}
	var log strings.Builder
	inFlight := map[net.Conn]int{} // bytes sent to each end and not read
	sent := map[net.Conn]byte{}    // the value of the next byte for each end
	peer := map[net.Conn]net.Conn{a: b, b: a}
	ended := map[net.Conn]bool{} // ends to which nothing more is sent
	past := map[net.Conn]bool{}  // ends with a read deadline in the past
	wpast := map[net.Conn]bool{}
	closed := map[net.Conn]bool{}
	name := map[net.Conn]string{a: "a", b: "b"}
	for range 300 {
		if sc.done() {
			break
		}
		c := a
		if sc.next(2) == 1 {
			c = b
		}
		p := peer[c]
		fmt.Fprintf(&log, "%s ", name[c])
		switch op := sc.next(9); op {
		case 0, 1: // write, at most what the socket buffers hold
			n := sc.next(256) * (1 + sc.next(8))
			if inFlight[p] > 40_000 || closed[p] {
				fmt.Fprintln(&log, "-")
				continue
			}
			buf := make([]byte, n)
			next := sent[p]
			for i := range buf {
				buf[i] = next
				next++
			}
			k, err := writeOut(c, buf)
			if err == nil {
				sent[p] = next
				inFlight[p] += k
			}
			fmt.Fprintln(&log, "write", n, k, errKind(err))
		case 2, 3: // read everything in flight, in pieces of a given size
			if inFlight[c] == 0 && !ended[c] && !past[c] && !closed[c] || closed[p] && !closed[c] && !past[c] {
				fmt.Fprintln(&log, "-") // a Read would block, or race with a reset
				continue
			}
			size := 1 + sc.next(256)*(1+sc.next(8))
			var got []byte
			var err error
			for want := inFlight[c]; err == nil && (len(got) < want || ended[c] || past[c] || closed[c]); {
				piece := make([]byte, size)
				var n int
				n, err = c.Read(piece)
				got = append(got, piece[:n]...)
			}
			inFlight[c] -= len(got)
			fmt.Fprintln(&log, "read", size, len(got), sum(got), errKind(err))
		case 4: // read nothing
			n, err := c.Read(nil)
			fmt.Fprintln(&log, "read nothing", n, errKind(err))
		case 5: // deadlines: past or none
			which := sc.next(4)
			tm, isPast := time.Time{}, false
			if which&1 == 1 {
				tm, isPast = time.Unix(1, 0), true
			}
			var err error
			if which&2 == 2 {
				if err = c.SetReadDeadline(tm); err == nil {
					past[c] = isPast
				}
			} else if err = c.SetWriteDeadline(tm); err == nil {
				wpast[c] = isPast
			}
			fmt.Fprintln(&log, "deadline", which, errKind(err))
		case 6: // half-close
			if closed[p] {
				fmt.Fprintln(&log, "-")
				continue
			}
			err := c.(interface{ CloseWrite() error }).CloseWrite()
			if err == nil {
				ended[p] = true
			}
			fmt.Fprintln(&log, "close write", errKind(err))
		case 7:
			if sc.next(4) > 0 { // less often than the others
				fmt.Fprintln(&log, "-")
				continue
			}
			err := c.Close()
			closed[c], ended[p] = true, true
			fmt.Fprintln(&log, "close", errKind(err))
		case 8:
			fmt.Fprintln(&log, name[c], c.LocalAddr().Network(), c.RemoteAddr().Network())
		}
	}
	return log.String()
}

// sum returns a checksum that depends on the order.
func sum(p []byte) (h uint32) {
	for _, b := range p {
		h = h*16777619 ^ uint32(b)
	}
	return h
}

func seedData(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 99))
	data := make([]byte, 400)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

func TestDifferentialSequential(t *testing.T) {
	const seeds = 150
	std := &stack{name: "net"}
	want := make([]string, seeds)
	long := 0
	for i := range want {
		want[i] = runSequential(t, std, seedData(uint64(i)))
		if strings.Count(want[i], "nil") > 10 {
			long++
		}
	}
	if long < seeds/2 {
		t.Errorf("only %d of %d scripts do much", long, seeds)
	}
	rings(t, func(t *testing.T, s *stack) {
		for i := range want {
			if got := runSequential(t, s, seedData(uint64(i))); got != want[i] {
				g, w := strings.Split(got, "\n"), strings.Split(want[i], "\n")
				for j := range min(len(g), len(w)) {
					if g[j] != w[j] {
						t.Fatalf("seed %d, step %d: %s; package net: %s", i, j, g[j], w[j])
					}
				}
				t.Fatalf("seed %d: %d steps; package net: %d", i, len(g), len(w))
			}
		}
	})
}

func FuzzSequential(f *testing.F) {
	for i := range 5 {
		f.Add(seedData(uint64(i)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want := runSequential(t, &stack{name: "net"}, data)
		s := &stack{poller: newPoller(t, Config{})}
		if got := runSequential(t, s, data); got != want {
			t.Errorf("got\n%s\npackage net:\n%s", got, want)
		}
	})
}

// runConcurrent runs goroutines that read, write, set deadlines and close, with a fast
// or slow peer. It returns what must be the same in every run: whether the stream was
// complete, and the kinds of errors.
func runConcurrent(t testing.TB, s *stack, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 7))
	a, b := s.pair(t)
	slow := rng.IntN(2) == 1
	total := 100_000 + rng.IntN(400_000)
	pieceW, pieceR := 1+rng.IntN(20_000), 1+rng.IntN(20_000)
	if rng.IntN(3) == 0 {
		pieceR = 1 + rng.IntN(300)
	}
	byClose := rng.IntN(2) == 1
	var mu sync.Mutex
	kinds := map[string]bool{}
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		kinds[errKind(err)] = true
	}
	var wg sync.WaitGroup
	stop := make(chan bool)
	wg.Go(func() { // deadlines come and go
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, c := range []net.Conn{a, b} {
				if err := c.SetDeadline(time.Unix(1, 0)); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("SetDeadline: %v", err)
				}
				if err := c.SetDeadline(time.Time{}); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("SetDeadline: %v", err)
				}
			}
			time.Sleep(200 * time.Microsecond) // sets the pace; synchronises nothing
		}
	})
	wg.Go(func() { // a writes a counting stream, and continues after each timeout
		buf := make([]byte, pieceW)
		for off := 0; off < total; {
			n := min(pieceW, total-off)
			for i := range n {
				buf[i] = byte((off + i) * 7)
			}
			k, err := a.Write(buf[:n])
			off += k
			if err != nil {
				note(err)
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					return
				}
			} else if k != n {
				t.Errorf("Write of %d returned %d without an error", n, k)
			}
		}
		if byClose {
			note(a.Close())
		} else {
			// CloseWrite waits until buffered writes are sent, and may time out, too.
			err := os.ErrDeadlineExceeded
			for errors.Is(err, os.ErrDeadlineExceeded) {
				err = a.(interface{ CloseWrite() error }).CloseWrite()
			}
			note(err)
		}
	})
	got, whole := 0, true
	wg.Go(func() {
		defer close(stop)
		buf := make([]byte, pieceR)
		for {
			n, err := b.Read(buf)
			for i := range n {
				whole = whole && buf[i] == byte((got+i)*7)
			}
			got += n
			if slow && got%7 == 0 {
				time.Sleep(50 * time.Microsecond) // the slow peer
			}
			if err != nil {
				note(err)
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					return
				}
			}
		}
	})
	within(t, fmt.Sprintf("seed %d", seed), wg.Wait)
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	// The number of timeouts depends on timing.
	delete(kinds, "read timeout")
	delete(kinds, "write timeout")
	return fmt.Sprint(whole, got == total, len(kinds), kinds)
}

func TestDifferentialConcurrent(t *testing.T) {
	const seeds = 25
	std := &stack{name: "net"}
	want := make([]string, seeds)
	for i := range want {
		want[i] = runConcurrent(t, std, uint64(i))
		if !strings.HasPrefix(want[i], "true true") {
			t.Fatalf("seed %d: package net: %s", i, want[i])
		}
	}
	rings(t, func(t *testing.T, s *stack) {
		for i := range want {
			if got := runConcurrent(t, s, uint64(i)); got != want[i] {
				t.Errorf("seed %d: %s; package net: %s", i, got, want[i])
			}
		}
	})
}
