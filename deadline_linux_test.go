package netring

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// deadlineModel is what the deadlines of a connection are by now.
type deadlineModel struct {
	read, write time.Time
}

// set sets a random deadline of c and notes it. It returns what it did.
func (m *deadlineModel) set(t testing.TB, c net.Conn, random *rand.Rand) string {
	t.Helper()
	now := time.Now()
	names := []string{"none", "long ago", "past", "near", "far", "farthest", "on the wall clock"}
	times := []time.Time{{}, time.Unix(1, 0), now.Add(-time.Nanosecond), now.Add(10 * time.Millisecond), now.Add(time.Hour),
		time.Unix(1<<55, 0), now.Add(time.Hour).Round(0)}
	i, side := random.IntN(len(times)), random.IntN(3)
	switch side {
	case 0:
		must(t, c.SetReadDeadline(times[i]))
		m.read = times[i]
	case 1:
		must(t, c.SetWriteDeadline(times[i]))
		m.write = times[i]
	case 2:
		must(t, c.SetDeadline(times[i]))
		m.read, m.write = times[i], times[i]
	}
	return fmt.Sprint([]string{"read", "write", "both"}[side], " ", names[i])
}

// passes returns when a call with that deadline ends without data: at once, after a while
// or never.
func passes(deadline time.Time) (now, ever bool) {
	left := time.Until(deadline)
	return !deadline.IsZero() && left <= 0, !deadline.IsZero() && left < time.Minute
}

// Whatever the sequence in which deadlines are set, put off, shortened and cleared, and
// whether calls wait meanwhile, each call ends as the last deadline says, neither earlier
// nor much later.
func TestDeadlineSequences(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		for seed := range uint64(8) {
			server, client := s.pair(t)
			var m deadlineModel
			var log []string
			random := rand.New(rand.NewPCG(seed, 0))
			for range 40 {
				for range random.IntN(4) {
					log = append(log, m.set(t, server, random))
				}
				log = append(log, m.call(t, server, client, random))
				if t.Failed() {
					t.Fatalf("seed %d: %s", seed, strings.Join(log, ", "))
				}
			}
		}
	})
}

// call makes a Read or a Write and checks its end. It returns what it did.
func (m *deadlineModel) call(t testing.TB, c, peer net.Conn, random *rand.Rand) string {
	t.Helper()
	if random.IntN(3) == 0 {
		now, ever := passes(m.write)
		n, err := c.Write([]byte("w"))
		if timeout := errors.Is(err, os.ErrDeadlineExceeded); timeout && !ever || now && !timeout || (err == nil) != (n == 1) {
			t.Errorf("Write: %d, %v", n, err)
		}
		return "Write"
	}
	_, ever := passes(m.read)
	data := random.IntN(2) == 0
	if data {
		_, err := peer.Write([]byte("r"))
		must(t, err)
	} else if !ever {
		return m.interrupted(t, c, peer, random)
	}
	var n int
	var err error
	within(t, "a Read", func() { n, err = c.Read(make([]byte, 100)) })
	ended := time.Now()
	switch timeout := errors.Is(err, os.ErrDeadlineExceeded); {
	case err != nil && !timeout:
		t.Errorf("Read: %v", err)
	case timeout && (!ever || ended.Before(m.read)):
		t.Errorf("Read timed out %v before its deadline", m.read.Sub(ended))
	case !timeout && n == 0:
		t.Error("Read returns nothing")
	}
	if data && err != nil { // take it, so that each Read has the data that was sent for it
		must(t, c.SetReadDeadline(time.Time{}))
		m.read = time.Time{}
		_, err := c.Read(make([]byte, 100))
		must(t, err)
	}
	return "Read"
}

// interrupted waits in a Read without an early deadline, changes the deadline a few times
// and then has it pass.
func (m *deadlineModel) interrupted(t testing.TB, c, _ net.Conn, random *rand.Rand) string {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 100))
		ended <- err
	}()
	var log []string
	for range random.IntN(3) {
		far := time.Now().Add(time.Duration(1+random.IntN(60)) * time.Minute)
		must(t, c.SetReadDeadline(far))
		log = append(log, "read far")
	}
	m.read = time.Now().Add(time.Duration(random.IntN(5)) * time.Millisecond)
	must(t, c.SetReadDeadline(m.read))
	within(t, "the interrupted Read", func() {
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().Before(m.read) {
			t.Errorf("an interrupted Read: %v, %v after its deadline", err, time.Since(m.read))
		}
	})
	return fmt.Sprintf("Read (%s, read near)", strings.Join(log, ", "))
}

// BenchmarkDeadlines sets a read and a write deadline and clears both, as a server does
// for each request.
func BenchmarkDeadlines(b *testing.B) {
	far := [2]time.Time{time.Now().Add(time.Hour), time.Now().Add(2 * time.Hour)}
	run := func(b *testing.B, s *stack) {
		c, _ := s.pair(b)
		for i := 0; b.Loop(); i++ {
			for _, err := range []error{
				c.SetReadDeadline(far[i%2]), c.SetWriteDeadline(far[i%2]),
				c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}),
			} {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("net", func(b *testing.B) { run(b, &stack{name: "net"}) })
	for _, engine := range engines(b) {
		b.Run(engine.String(), func(b *testing.B) { run(b, &stack{poller: newPoller(b, Config{Engine: engine})}) })
	}
}
