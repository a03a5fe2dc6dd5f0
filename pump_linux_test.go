package netring

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// relay is what a proxy has for one client: src and dst are the stack's, in and out are
// their peers'.
type relay struct{ in, src, dst, out net.Conn }

// newRelay returns a relay whose connections are on the given stacks.
func newRelay(t testing.TB, from, to *stack) (r relay) {
	t.Helper()
	r.src, r.in = from.pair(t)
	r.dst, r.out = to.pair(t)
	return r
}

// relays runs f on package net, and on netring with source and destination on the same
// Poller and on two.
func relays(t *testing.T, f func(t *testing.T, from, to *stack)) {
	stacks(t, func(t *testing.T, s *stack) {
		f(t, s, s)
		if s.poller == nil {
			return
		}
		t.Run("two pollers", func(t *testing.T) {
			other := *s
			other.poller = newPoller(t, Config{Engine: s.poller.Stats().Engine, Coalesce: s.poller.cfg.Coalesce, Reactors: 1})
			f(t, s, &other)
		})
	})
}

// startCopy runs io.Copy, whose error the channel receives.
func startCopy(dst io.Writer, src io.Reader) <-chan error {
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(dst, src)
		copied <- err
	}()
	return copied
}

// Whatever the sizes and the pace of messages, both directions of a relay arrive whole and
// end with their half-closes.
func TestPumpStreams(t *testing.T) {
	const size, seeds = 1 << 20, 2
	relays(t, func(t *testing.T, from, to *stack) {
		var wg sync.WaitGroup
		for seed := range uint64(seeds) {
			r := newRelay(t, from, to)
			if seed%2 == 1 { // the sockets take parts of messages
				must(t, r.src.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(4<<10))
				must(t, r.dst.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(4<<10))
			}
			sent := make([]byte, size)
			for i, random := 0, rand.NewChaCha8([32]byte{byte(seed)}); i < size; i += 8 {
				*(*[8]byte)(sent[i:]) = [8]byte(fmt.Appendf(nil, "%08x", random.Uint64()))
			}
			for _, way := range []relay{r, {in: r.out, src: r.dst, dst: r.src, out: r.in}} {
				wg.Go(func() {
					n, err := io.Copy(way.dst, way.src)
					if n != size || err != nil {
						t.Errorf("Copy: %d bytes, %v; want %d", n, err, size)
					}
					if err := way.dst.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
						t.Error(err)
					}
				})
				wg.Go(func() { sendPieces(t, way.in, sent, seed) })
				wg.Go(func() {
					if got, err := io.ReadAll(struct{ io.Reader }{way.out}); err != nil || !bytes.Equal(got, sent) {
						t.Errorf("%d bytes of %d arrived, or they differ: %v", len(got), size, err)
					}
				})
			}
		}
		within(t, "the relays", wg.Wait)
	})
}

// sendPieces sends p in pieces of random sizes: first small ones, then some that fill
// buffers, then small ones again.
func sendPieces(t testing.TB, c net.Conn, p []byte, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	for n := 0; n < len(p); {
		limit := 300
		if n > len(p)/8 && n < len(p)*7/8 {
			limit = 200_000
		}
		k := min(1+random.IntN(limit), len(p)-n)
		if _, err := c.Write(p[n : n+k]); err != nil {
			t.Error(err)
			return
		}
		n += k
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
}

// Messages pass through the reactors. Their copy's goroutine is not woken for them.
func TestPumpSleeps(t *testing.T) {
	relays(t, func(t *testing.T, from, to *stack) {
		if from.poller == nil {
			return
		}
		r := newRelay(t, from, to)
		copied := startCopy(r.dst, r.src)
		talk(t, r)
		talk(t, r)
		must(t, r.in.Close())
		within(t, "the copy", func() { must(t, <-copied) })
		// A few messages may find the goroutine awake.
		if n := from.poller.Stats().Pumped; n < 30 {
			t.Errorf("%d of 40 messages were pumped", n)
		}
	})
}

// interruption is something that ends a copy.
type interruption struct {
	name string
	do   func(r relay) error
	// A copy that waits for the other side is not ended by it.
	ofSource bool
}

var interruptions = []interruption{
	{"source closed", func(r relay) error { return r.src.Close() }, true},
	{"source's deadline", func(r relay) error { return r.src.SetReadDeadline(time.Now()) }, true},
	{"source at its end", func(r relay) error { return r.in.Close() }, true},
	{"destination closed", func(r relay) error { return r.dst.Close() }, false},
	{"destination's deadline", func(r relay) error { return r.dst.SetWriteDeadline(time.Now()) }, false},
	{"destination reset", func(r relay) error {
		return errors.Join(r.out.(*net.TCPConn).SetLinger(0), r.out.Close())
	}, false},
}

// Deadlines and Close on either side end a copy, whether it waits for its source or for
// its destination, with the error that package net has.
func TestPumpInterrupted(t *testing.T) {
	for _, a := range interruptions {
		for _, full := range []string{"", "of messages", "of a stream"} {
			t.Run(strings.TrimSuffix(a.name+", full "+full, ", full "), func(t *testing.T) {
				var want string
				relays(t, func(t *testing.T, from, to *stack) {
					err := a.interrupt(t, newRelay(t, from, to), full)
					got := errorShape(err)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("%s, want %s (%v)", got, want, err)
					}
				})
			})
		}
	}
}

// interrupt returns the error of a copy that a interrupts. full says what the destination
// is full of before.
func (a interruption) interrupt(t *testing.T, r relay, full string) (err error) {
	t.Helper()
	copied, ended := startCopy(r.dst, r.src), make(chan struct{})
	talk(t, r)
	switch full {
	case "of messages":
		fillWithMessage(t, r)
	case "of a stream":
		fill(t, r)
	}
	must(t, a.do(r))
	switch {
	case a.ofSource && full != "": // the copy goes on until it needs the source
		go io.Copy(io.Discard, struct{ io.Reader }{r.out})
	case !a.ofSource && full != "of a stream": // until it needs the destination, twice if it has a buffer
		go writeUntil(r.in, ended)
	}
	within(t, "the copy", func() { err = <-copied })
	close(ended)
	return err
}

// fillWithMessage sends a message that the sockets of the destination do not take.
func fillWithMessage(t testing.TB, r relay) {
	t.Helper()
	must(t, r.dst.(interface{ SetWriteBuffer(int) error }).SetWriteBuffer(4<<10))
	must(t, r.out.(*net.TCPConn).SetReadBuffer(4<<10))
	_, err := r.in.Write(make([]byte, 32_000))
	must(t, err)
	within(t, "the destination to be full", func() {
		for queued(t, r.dst) == 0 {
			time.Sleep(time.Millisecond)
		}
	})
}

// writeUntil sends messages to c until ended is closed.
func writeUntil(c net.Conn, ended <-chan struct{}) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			c.Write([]byte("more")) // fails when the copy has ended
		}
	}
}

// errorShape describes an error of a copy.
func errorShape(err error) string {
	var ops []string
	for e := err; e != nil; e = errors.Unwrap(e) {
		if oe, ok := e.(*net.OpError); ok {
			ops = append(ops, oe.Op)
		}
	}
	return fmt.Sprintf("%q, nil %v, ErrClosed %v, timeout %v", ops, err == nil, errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded))
}

// talk sends messages through r.
func talk(t testing.TB, r relay) {
	t.Helper()
	buf := make([]byte, 5)
	for range 20 {
		_, err := r.in.Write([]byte("hello"))
		must(t, err)
		within(t, "a message", func() {
			if _, err := io.ReadFull(r.out, buf); err != nil || string(buf) != "hello" {
				t.Errorf("a message is %q, %v", buf, err)
			}
		})
	}
}

// queued returns how many bytes the socket of c has not sent yet.
func queued(t testing.TB, c net.Conn) (n int) {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	must(t, err)
	ctlErr := rc.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
	must(t, errors.Join(ctlErr, err))
	return n
}

// fill sends until nothing moves any more.
func fill(t testing.TB, r relay) {
	t.Helper()
	p := make([]byte, 1<<20)
	for {
		must(t, r.in.SetWriteDeadline(time.Now().Add(30*time.Millisecond)))
		n, err := r.in.Write(p)
		if errors.Is(err, os.ErrDeadlineExceeded) && n == 0 {
			must(t, r.in.SetWriteDeadline(time.Time{}))
			return
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

// While a copy runs, others write to its destination. Nothing is lost.
func TestPumpBesideWrites(t *testing.T) {
	const messages = 2000
	relays(t, func(t *testing.T, from, to *stack) {
		r := newRelay(t, from, to)
		var wg sync.WaitGroup
		wg.Go(func() {
			if n, err := io.Copy(r.dst, r.src); n != messages*10 || err != nil {
				t.Errorf("Copy: %d, %v", n, err)
			}
		})
		others := make(chan struct{})
		wg.Go(func() {
			defer close(others)
			for range messages {
				if _, err := r.dst.Write([]byte("w")); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range messages {
				if _, err := r.in.Write([]byte("0123456789")); err != nil {
					t.Error(err)
				}
			}
			<-others
			must(t, r.in.Close())
		})
		wg.Go(func() {
			got := make([]byte, messages*11)
			if _, err := io.ReadFull(r.out, got); err != nil {
				t.Errorf("the rest is missing: %v", err)
			}
			if n := bytes.Count(got, []byte("w")); n != messages {
				t.Errorf("%d bytes of %d others arrived", n, messages)
			}
			copied := bytes.ReplaceAll(got, []byte("w"), nil)
			if !bytes.Equal(copied, bytes.Repeat([]byte("0123456789"), messages)) {
				t.Error("what was copied differs")
			}
		})
		within(t, "the copy", wg.Wait)
	})
}

// A connection may be copied to itself, as an echo server does.
func TestPumpEcho(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		c, client := s.pair(t)
		copied := startCopy(c, c)
		talk(t, relay{in: client, out: client})
		must(t, client.(*net.TCPConn).CloseWrite())
		within(t, "the copy", func() { must(t, <-copied) })
	})
}

// The connections that httputil.ReverseProxy upgrades, those of WebSockets for example, are
// pumped in both directions.
func TestPumpUpgraded(t *testing.T) {
	const early = "what the backend sends with its answer"
	stacks(t, func(t *testing.T, s *stack) {
		backend := s.listen(t)
		var wg sync.WaitGroup
		wg.Go(func() { serveUpgrade(t, backend, early) })
		c, err := net.Dial("tcp", serveReverseProxy(t, s, backend.Addr()).String())
		must(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		must(t, err)
		answers := bufio.NewReader(c)
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v, %v", answer, err)
		}
		got := make([]byte, len(early))
		if _, err := io.ReadFull(answers, got); err != nil || string(got) != early || answers.Buffered() > 0 {
			t.Fatalf("%q and %d bytes, %v; want %q", got, answers.Buffered(), err, early)
		}
		talk(t, relay{in: c, out: c})
		talk(t, relay{in: c, out: c})
		must(t, c.(*net.TCPConn).CloseWrite())
		within(t, "the end of the answers", func() {
			if _, err := c.Read(got); err != io.EOF {
				t.Errorf("the end of the answers is %v", err)
			}
		})
		wg.Wait()
		if s.poller == nil {
			return
		}
		if n := s.poller.Stats().Pumped; n < 60 {
			t.Errorf("%d of 80 messages were pumped", n)
		}
	})
}

// serveUpgrade upgrades one connection of ln, sends early and then echoes.
func serveUpgrade(t testing.TB, ln net.Listener, early string) {
	c, err := ln.Accept()
	must(t, err)
	defer c.Close()
	_, err = http.ReadRequest(bufio.NewReader(c))
	must(t, err)
	_, err = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"+early)
	must(t, err)
	_, err = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
	must(t, err)
}

// serveReverseProxy serves a reverse proxy for the backend on s until the end of the test.
func serveReverseProxy(t testing.TB, s *stack, backend net.Addr) net.Addr {
	t.Helper()
	ln := s.listen(t)
	srv := &http.Server{Handler: &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: s.dialWith(net.Dialer{}), DisableKeepAlives: true},
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: backend.String()}) },
	}}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		must(t, srv.Close())
		if err := <-served; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return ln.Addr()
}

// A copy that waits holds no shared buffer.
func TestPumpHoldsNoBuffer(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		r := newRelay(t, s, s)
		copied := startCopy(r.dst, r.src)
		for range 5 {
			talk(t, r)
			within(t, "the buffers to be free", func() {
				for s.poller.Stats().ReadBuffers.InUse != 0 {
					time.Sleep(time.Millisecond)
				}
			})
		}
		must(t, r.in.Close())
		within(t, "the copy", func() { must(t, <-copied) })
	})
}

// A stream that fills its buffers goes by splice, and messages after it in batches again.
func TestPumpBulk(t *testing.T) {
	const size = 64 << 20
	rings(t, func(t *testing.T, s *stack) {
		r := newRelay(t, s, s)
		copied := startCopy(r.dst, r.src)
		ops := func() uint64 { st := s.poller.Stats(); return st.Ops + st.Direct }
		for range 2 {
			talk(t, r)
			before := ops()
			go r.in.Write(make([]byte, size))
			within(t, "the stream", func() {
				n, err := io.CopyN(io.Discard, struct{ io.Reader }{r.out}, size)
				if err != nil {
					t.Errorf("%d bytes of the stream: %v", n, err)
				}
			})
			if n := ops() - before; n > size/defaultReadBufferSize/4 {
				t.Errorf("a stream of %d bytes took %d operations; it should go by splice", size, n)
			}
			talk(t, r) // some messages may still go by splice
			before = ops()
			talk(t, r)
			if n := ops() - before; n < 2*20 {
				t.Errorf("20 messages took %d operations; they should go in batches", n)
			}
		}
		must(t, r.in.Close())
		within(t, "the copy", func() { must(t, <-copied) })
	})
}

// A copy outside goes on while calls in synctest bubbles run the reactor, which start no
// goroutine for it, and after them.
func TestPumpBesideBubbles(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			s := &stack{poller: newPoller(t, Config{Engine: engine, Reactors: 1})}
			other := &stack{poller: newPoller(t, Config{Engine: engine, Reactors: 1})}
			for _, r := range []relay{newRelay(t, s, s), newRelay(t, s, other), newRelay(t, other, s)} {
				copied := startCopy(r.dst, r.src)
				var wg sync.WaitGroup
				bubbles := make(chan struct{})
				wg.Go(func() {
					for more := true; more; {
						select {
						case <-bubbles:
							more = false
						default:
						}
						talk(t, r)
					}
				})
				for range 20 {
					synctest.Test(t, func(t *testing.T) { bubbleEcho(t, s) })
				}
				close(bubbles)
				within(t, "the messages", wg.Wait)
				must(t, r.in.Close())
				within(t, "the copy", func() { must(t, <-copied) })
			}
		})
	}
}
