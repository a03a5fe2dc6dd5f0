package netring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/netring-go/netring/internal/leakcheck"
	"github.com/netring-go/netring/reactor"
)

func TestConfigOutOfRange(t *testing.T) {
	for _, tc := range []struct {
		cfg  Config
		want string
	}{
		{Config{Engine: 9}, "Config.Engine is Engine(9)"},
		{Config{Reactors: -1}, "Config.Reactors is -1"},
		{Config{Reactors: 1025}, "Config.Reactors is 1025"},
		{Config{ReadBuffers: 3}, "Config.ReadBuffers is 3"},
		{Config{ReadBuffers: -8}, "Config.ReadBuffers is -8"},
		{Config{ReadBuffers: math.MinInt}, "Config.ReadBuffers is -"},
		{Config{ReadBuffers: 1 << 16}, "Config.ReadBuffers is 65536"},
		{Config{ReadBufferSize: 100}, "Config.ReadBufferSize is 100"},
		{Config{ReadBufferSize: 2 << 20}, "Config.ReadBufferSize is 2097152"},
		{Config{ReadBufferSize: -1}, "Config.ReadBufferSize is -1"},
		{Config{Coalesce: 100}, "Config.Coalesce is 100"},
		{Config{Coalesce: -1}, "Config.Coalesce is -1"},
		{Config{Coalesce: 17 << 20}, "Config.Coalesce is 17825792"},
	} {
		p, err := NewPoller(tc.cfg)
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "netring: "+tc.want) || !strings.Contains(err.Error(), "; use ") {
			t.Errorf("%+v: %v; it should contain %q and say what to use", tc.cfg, err, tc.want)
		}
	}
}

func TestPollerClose(t *testing.T) {
	leakcheck.Descriptors(t)
	rings(t, func(t *testing.T, s *stack) {
		p := s.poller
		server, client := s.pair(t)
		idle, _ := s.pair(t)
		ln := s.listen(t)
		errs := make(chan error, 2)
		go func() {
			_, err := server.Read(make([]byte, 1))
			errs <- err
		}()
		go func() {
			_, err := ln.Accept()
			errs <- err
		}()
		if n := p.Stats().Descriptors; n != 3 {
			t.Errorf("%d descriptors, want 3", n)
		}
		must(t, p.Close())
		within(t, "waking", func() {
			for range 2 {
				if err := <-errs; !errors.Is(err, net.ErrClosed) {
					t.Errorf("woken with %v", err)
				}
			}
		})
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer reads %v", err)
		}
		if _, err := idle.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Poller.Close: %v", err)
		}
		if err := idle.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Conn.Close after Poller.Close: %v", err)
		}
		if err := p.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the second Close: %v", err)
		}
		// newPoller's cleanup closes the Poller, so make it an open Poller without reactors.
		s.poller.closed.Store(false)
		s.poller.reactors.Store(new([]*reactor.Reactor))
		s.poller.acceptor = nil
	})
}

// Poller.Close may race with every call on the Poller.
func TestPollerCloseRaces(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		engine := s.poller.Stats().Engine
		for range 20 {
			p, err := NewPoller(Config{Engine: engine, Reactors: 2})
			must(t, err)
			lc := ListenConfig{Poller: p}
			ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			must(t, err)
			var wg sync.WaitGroup
			wg.Go(func() { serveConns(ln, func(c net.Conn) { io.Copy(c, c) }) })
			for range 8 {
				wg.Go(func() {
					for {
						c, err := net.Dial("tcp", ln.Addr().String())
						if err != nil {
							return
						}
						c.Write([]byte("hello"))
						c.Read(make([]byte, 3))
						c.Close()
					}
				})
			}
			c, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			if _, err := c.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			if _, err := c.Read(make([]byte, 1)); err != nil { // the server works now
				t.Error(err)
			}
			within(t, "closing the Poller", func() {
				if err := p.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			within(t, "the rest", wg.Wait)
			must(t, c.Close())
		}
	})
}

// The default Poller exists while something uses it, and a moment longer, without a
// goroutine. Then it ends and leaves nothing behind.
func TestDefaultPoller(t *testing.T) {
	engines(t) // skips the test with NETRING_ENGINE=net
	leakcheck.Descriptors(t)
	before := goleak.IgnoreCurrent()
	awaitNoDefaultPoller(t)
	for range 3 {
		ln, err := Listen("tcp", "127.0.0.1:0")
		must(t, err)
		client, err := net.Dial("tcp", ln.Addr().String())
		must(t, err)
		server, err := ln.Accept()
		must(t, err)
		p := currentDefaultPoller()
		must(t, ln.Close())
		time.Sleep(2 * defaultLinger) // synchronises nothing: the Poller must live longer
		if currentDefaultPoller() != p || p == nil {
			t.Error("the default Poller went before its last connection")
		}
		if _, err := server.Write([]byte("x")); err != nil {
			t.Errorf("after closing the listener: %v", err)
		}
		must(t, server.Close())
		must(t, client.Close())
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
		// The next user, if it comes soon, gets the same Poller.
		ln, err = Listen("tcp", "127.0.0.1:0")
		must(t, err)
		if currentDefaultPoller() != p {
			t.Error("the default Poller did not linger")
		}
		must(t, ln.Close())
		awaitNoDefaultPoller(t)
		if err := p.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the default Poller went unclosed: %v", err)
		}
	}
}

func TestStats(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		if _, err := server.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		st := s.poller.Stats()
		if s.name != "auto" && st.Engine.String() != s.name || st.EngineReason != "" || st.Reactors < 1 || st.Descriptors != 1 ||
			st.Ops < 2 || st.Batches == 0 || st.Batches > st.Ops || st.ReadBuffers.InUse != 1 || st.ReadBuffers.Taken != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// The write buffer of a ListenConfig or Dialer overrides the Poller's.
func TestWriteBufferOfListenConfigAndDialer(t *testing.T) {
	for _, engine := range engines(t) {
		p := newPoller(t, Config{Engine: engine, Coalesce: 1024})
		for _, tc := range []struct{ own, want int }{{0, 1024}, {-1, 0}, {4096, 4096}} {
			lc := ListenConfig{Poller: p, Coalesce: tc.own}
			ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			must(t, err)
			d := Dialer{Poller: p, Coalesce: tc.own}
			client, err := d.Dial("tcp", ln.Addr().String())
			must(t, err)
			server, err := ln.Accept()
			must(t, err)
			for what, c := range map[string]net.Conn{"dialled": client, "accepted": server} {
				if got := c.(*Conn).fd.Coalescing(); got != tc.want {
					t.Errorf("%s, %d of its own: the buffer is %d, want %d", what, tc.own, got, tc.want)
				}
				must(t, c.(*Conn).SetCoalescing(0))
				if err := c.(*Conn).SetCoalescing(5); err == nil || !strings.Contains(err.Error(), "the size is 5; use 0 for none, or 512") {
					t.Errorf("SetCoalescing(5): %v", err)
				}
				must(t, c.Close())
			}
			must(t, ln.Close())
		}
		lc := ListenConfig{Poller: p, Coalesce: 1}
		if _, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), "ListenConfig.Coalesce is 1; use 0 for the Poller's size") {
			t.Errorf("Listen: %v", err)
		}
		d := Dialer{Poller: p, Coalesce: 1}
		if _, err := d.Dial("tcp", "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "Dialer.Coalesce is 1; use 0 for the Poller's size") {
			t.Errorf("Dial: %v", err)
		}
	}
}

// TestDefaultReactors has more Ps than CPUs, and fewer.
func TestDefaultReactors(t *testing.T) {
	cpus := runtime.NumCPU()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []struct{ ps, want int }{{cpus + 3, cpus}, {1, 1}} {
		runtime.GOMAXPROCS(c.ps)
		if cfg, err := (Config{}).withDefaults(); cfg.Reactors != c.want || err != nil {
			t.Errorf("%d reactors for %d Ps on %d CPUs, %v", cfg.Reactors, c.ps, cpus, err)
		}
	}
}

// A program dials, waits with a deadline and closes, again and again, on a Poller
// without other users. The end of a call may race with the end of the Poller.
func TestRow24DialWaitClose(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	go serveConns(ln, func(c net.Conn) { io.Copy(io.Discard, c) })
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			for i := range 300 {
				p := newUncheckedPoller(t, Config{Engine: engine, Reactors: 1})
				d := Dialer{Poller: p}
				c, err := d.Dial("tcp", ln.Addr().String())
				must(t, err)
				must(t, c.SetReadDeadline(time.Now().Add(time.Duration(i%7)*50*time.Microsecond)))
				if _, err := c.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("Read: %v", err)
				}
				must(t, errors.Join(c.Close(), p.Close()))
			}
		})
	}
}

// A callback that blocks does not delay the end of other connections.
func TestPollerCloseIsNotSerial(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			p := newUncheckedPoller(t, Config{Engine: engine, Reactors: 2})
			s := &stack{poller: p}
			ln := s.listen(t)
			const conns = 9
			release := make(chan struct{})
			var clients []net.Conn
			var blocked, entered sync.WaitGroup
			for i := range conns {
				client, err := net.Dial("tcp", ln.Addr().String())
				must(t, err)
				defer client.Close()
				clients = append(clients, client)
				server, err := ln.Accept()
				must(t, err)
				if i == conns-1 {
					break // this connection was registered last
				}
				rc, err := server.(*Conn).SyscallConn()
				must(t, err)
				entered.Add(1)
				blocked.Go(func() {
					must(t, rc.Control(func(uintptr) {
						entered.Done()
						<-release
					}))
				})
			}
			entered.Wait()
			closed := make(chan error, 1)
			go func() { closed <- p.Close() }()
			within(t, "the end of a connection that nobody holds", func() {
				if _, err := clients[conns-1].Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the peer reads %v", err)
				}
			})
			close(release)
			within(t, "Poller.Close", func() { must(t, <-closed) })
			blocked.Wait()
		})
	}
}

// GOMAXPROCS may change while a server accepts. New connections use as many reactors, and
// connections stay where they are.
func TestReactorsFollowGOMAXPROCS(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("there is one CPU, so there is one reactor")
	}
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			follows, fixed := newPoller(t, Config{Engine: engine}), newPoller(t, Config{Engine: engine, Reactors: 1})
			s := &stack{poller: follows}
			ln := s.listen(t)
			var conns []relay
			// connect makes connections until the last of them were so on each reactor.
			connect := func(want ...uint64) {
				t.Helper()
				within(t, fmt.Sprintf("connections on %d reactors", len(want)), func() {
					for got := []uint64(nil); !slices.Equal(got, want); time.Sleep(followEvery / 10) {
						before := opened(follows)
						for range 2 {
							conns = append(conns, connection(t, ln))
						}
						got = opened(follows)
						for i, n := range before {
							got[i] -= n
						}
					}
				})
			}
			connect(2)
			runtime.GOMAXPROCS(2)
			connect(1, 1)
			runtime.GOMAXPROCS(1)
			connect(2, 0)
			runtime.GOMAXPROCS(2)
			connect(1, 1)
			for _, r := range conns {
				talk(t, r)
			}
			connection(t, (&stack{poller: fixed}).listen(t))
			if n := fixed.Stats().Reactors; n != 1 {
				t.Errorf("%d reactors where one was asked for", n)
			}
		})
	}
}

// opened returns how many connections each reactor has opened.
func opened(p *Poller) (ns []uint64) {
	for _, r := range p.current() {
		ns = append(ns, r.Stats().Opened)
	}
	return ns
}

// connection returns a connection to ln, whose server's end is copied to itself.
func connection(t testing.TB, ln net.Listener) relay {
	t.Helper()
	client, err := net.Dial("tcp", ln.Addr().String())
	must(t, err)
	server, err := ln.Accept()
	must(t, err)
	echoed := startCopy(server, server)
	t.Cleanup(func() {
		must(t, client.Close())
		must(t, <-echoed)
		must(t, server.Close())
	})
	return relay{in: client, out: client}
}

// Placing connections goes on when the counter has passed what an int of 32 bits holds.
func TestPlaceForEver(t *testing.T) {
	for _, engine := range engines(t) {
		p := newPoller(t, Config{Engine: engine, Reactors: 3})
		seen := map[*reactor.Reactor]int{}
		for _, start := range []uint32{math.MaxInt32 - 3, math.MaxUint32 - 3} {
			p.places.next.Store(start)
			for range 9 {
				seen[p.place()]++
			}
		}
		for _, r := range p.current() {
			if n := seen[r]; n < 5 || n > 7 {
				t.Errorf("%v: a reactor got %d of 18 connections", engine, n)
			}
		}
	}
}
