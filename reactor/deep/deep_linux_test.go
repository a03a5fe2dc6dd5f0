package deep

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/leakcheck"
	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor"
	"github.com/netring-go/netring/reactor/engine"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// newPool returns a pool with the given engine in the environment, whose reactors the end
// of the test closes.
func newPool(t *testing.T, env string) *pool {
	t.Helper()
	if env == "uring" {
		if _, err := engine.Probe(); errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			t.Skipf("io_uring is refused here: %v", err)
		}
	}
	t.Setenv(EngineEnv, env)
	p := new(pool)
	t.Cleanup(func() {
		for _, r := range p.current() {
			if err := r.Close(); err != nil {
				t.Errorf("Reactor.Close: %v", err)
			}
		}
	})
	return p
}

// closing closes a descriptor at the end of the test.
func closing(t *testing.T, sysfd int) {
	t.Helper()
	t.Cleanup(func() {
		if err := unix.Close(sysfd); err != nil {
			t.Error(err)
		}
	})
}

// release is b.Release.
func release(t *testing.T, b *reactor.Borrowed) {
	t.Helper()
	if err := b.Release(); err != nil {
		t.Errorf("Release: %v", err)
	}
}

// The sockets of a process share reactors, and the report counts what those do.
func TestOpen(t *testing.T) {
	for _, env := range []string{"uring", "syscall"} {
		t.Run(env, func(t *testing.T) {
			p := newPool(t, env)
			sysfd, peer := sockettest.Pair(t)
			closing(t, sysfd)
			b := p.open(sysfd)
			if b == nil {
				t.Fatalf("no reactor takes the socket: %s", p.report())
			}
			defer release(t, b)
			if n := min(runtime.GOMAXPROCS(0), runtime.NumCPU()); len(p.current()) != n {
				t.Errorf("%d reactors, want %d", len(p.current()), n)
			}
			for range 2 { // the second time in a batch
				var reads sync.WaitGroup
				reads.Go(func() {
					if n, err := b.Read(make([]byte, 8)); n != 1 || err != nil {
						t.Errorf("Read: %d, %v", n, err)
					}
				})
				if _, err := sockettest.Write(peer, []byte("x")); err != nil {
					t.Fatal(err)
				}
				reads.Wait()
			}
			if s := p.stats(); s.BytesIn != 2 || s.BytesOut != 0 || s.Sockets != 1 || s.Open != 1 || s.Reactors != len(p.current()) {
				t.Errorf("after reading 2 bytes, the counters are %+v", s)
			}
			if got, want := p.report(), "engine="+env+" reactors="; !strings.HasPrefix(got, want) ||
				!strings.Contains(got, " sockets=1 open=1 ") || strings.Contains(got, "reason=") {
				t.Errorf("the report is %q", got)
			}
		})
	}
}

// The reactors follow GOMAXPROCS.
func TestGrows(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("there is one CPU, so one reactor is all there can be")
	}
	p := newPool(t, "syscall")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for want := 1; want <= 2; want++ {
		runtime.GOMAXPROCS(want)
		used := make(map[*reactor.Reactor]bool)
		for range 4 {
			used[p.place()] = true
		}
		if len(used) != want {
			t.Errorf("with GOMAXPROCS %d, %d reactors get sockets", want, len(used))
		}
	}
}

// Listeners stay with package net.
func TestOpenListener(t *testing.T) {
	l := sockettest.Listener(t)
	closing(t, l)
	p := newPool(t, "syscall")
	if b := p.open(l); b != nil {
		release(t, b)
		t.Error("a reactor has taken a listener")
	}
	if listens, _ := inspect(-1); !listens {
		t.Error("a reactor would take what is no socket")
	}
}

// Only plain TCP tells that a read has emptied the socket.
func TestInspect(t *testing.T) {
	a, _ := sockettest.Pair(t)
	closing(t, a)
	if listens, tcp := inspect(a); listens || !tcp {
		t.Errorf("a TCP connection: %v, %v", listens, tcp)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, pair[0])
	closing(t, pair[1])
	if listens, tcp := inspect(pair[0]); listens || tcp {
		t.Errorf("a unix connection: %v, %v", listens, tcp)
	}
}

// Without a reactor, package net serves the socket, and the process learns why.
func TestNoReactor(t *testing.T) {
	var warned bytes.Buffer
	warnings = &warned
	defer func() { warnings = os.Stderr }()
	open := func(t *testing.T, p *pool) {
		t.Helper()
		for range 2 {
			a, _ := sockettest.Pair(t)
			closing(t, a)
			if b := p.open(a); b != nil {
				release(t, b)
				t.Error("a reactor has taken the socket")
			}
		}
	}
	t.Run("net", func(t *testing.T) {
		p := newPool(t, "net")
		open(t, p)
		if got := p.report(); !strings.HasPrefix(got, "engine=net reactors=0 sockets=0 ") || strings.Contains(got, "reason=") {
			t.Errorf("the report is %q", got)
		}
		if warned.Len() > 0 {
			t.Errorf("warned of what was asked for: %q", warned.String())
		}
	})
	t.Run("unknown", func(t *testing.T) {
		p := newPool(t, "turbo")
		open(t, p)
		const want = `NETRING_ENGINE is "turbo"; use auto, uring, syscall or net`
		if got := warned.String(); got != "netring: package net serves all connections: "+want+"\n" {
			t.Errorf("warned %q", got)
		}
		if got := p.report(); !strings.Contains(got, "reason=") {
			t.Errorf("the report is %q", got)
		}
	})
	t.Run("no descriptors", func(t *testing.T) {
		warned.Reset()
		p := newPool(t, "syscall")
		a, _ := sockettest.Pair(t)
		closing(t, a)
		var old unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		// The pair's descriptors are the highest, so there is no room for another one.
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		b := p.open(a)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Fatal(err)
		}
		if b != nil {
			release(t, b)
			t.Error("there is a reactor without descriptors")
		}
		if !strings.Contains(warned.String(), "too many open files") {
			t.Errorf("warned %q", warned.String())
		}
	})
}
