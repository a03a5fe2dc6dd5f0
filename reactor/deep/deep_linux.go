package deep

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor"
	"github.com/netring-go/netring/reactor/engine"
)

// EngineEnv is the environment variable that chooses the engine: auto, uring, syscall, or
// net for none. It is netring.EngineEnv.
const EngineEnv = "NETRING_ENGINE"

// StatsEnv is the environment variable that, set to 1, has the process print what Report
// returns to its standard error when it exits.
const StatsEnv = "NETRING_DEEP_STATS"

// maxReactors bounds the number of reactors.
const maxReactors = 1024

// reactors serve the sockets. They are made when the first socket comes and last as long
// as the process. While no call waits, they have no goroutine.
var reactors pool

// warnings is where a process learns that it has no reactors. Package net has no call that
// could return the error.
var warnings io.Writer = os.Stderr

// Open gives the non-blocking stream socket sysfd to a reactor. It returns nil if the
// socket is better left to package net: it listens, the environment says so, or there is
// no reactor. The socket still belongs to the caller, see [reactor.Borrowed].
func Open(sysfd int) *reactor.Borrowed { return reactors.open(sysfd) }

// Report describes the engine and what the reactors have done so far, in one line.
func Report() string { return reactors.report() }

// Stats is what the reactors have done so far.
type Stats struct {
	Engine            engine.Kind
	Reason            error // why it is not the preferred engine, or no reactor could be added
	Reactors          int
	Sockets           uint64 // given to reactors
	Open              int    // of them, those that are there now
	BytesIn, BytesOut uint64
	Batches           uint64
	Ops               uint64 // in batches
	Direct            uint64 // operations outside any batch
	Events            uint64 // readiness events
}

// ReadStats returns what the reactors have done so far.
func ReadStats() Stats { return reactors.stats() }

// pool is a set of reactors, one for each P. The zero value is ready for use.
type pool struct {
	next   atomic.Uint32 // placement of sockets is round robin
	served atomic.Uint64 // sockets
	all    atomic.Pointer[[]*reactor.Reactor]
	full   atomic.Bool // no reactor can be added

	mu      sync.Mutex // held while reactors are added
	started bool
	kind    engine.Kind
	err     error // why no reactor can be added
}

// open is Open.
func (p *pool) open(sysfd int) *reactor.Borrowed {
	listens, tcp := inspect(sysfd)
	if listens {
		return nil
	}
	r := p.place()
	if r == nil {
		return nil
	}
	b, err := r.Borrow(sysfd, tcp)
	if err != nil { // which only a closed reactor has
		return nil
	}
	p.served.Add(1)
	return b
}

// inspect returns whether the socket listens, and whether it is plain TCP. In doubt, it is
// not: then a read that leaves nothing behind costs one more system call.
func inspect(sysfd int) (listens, tcp bool) {
	// A listener waits nearly all the time. On a connection's reactor it would keep that
	// from having a leader. And accepting ahead of Accept can be noticed.
	n, err := unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || n != 0 {
		return true, false
	}
	n, err = unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return false, err == nil && n == unix.IPPROTO_TCP
}

// place returns the reactor for the next socket, nil if there is none.
func (p *pool) place() *reactor.Reactor {
	want := min(runtime.GOMAXPROCS(0), runtime.NumCPU(), maxReactors)
	rs := p.current()
	if len(rs) < want && !p.full.Load() {
		rs = p.grow(want)
	}
	if len(rs) == 0 {
		return nil
	}
	return rs[(p.next.Add(1)-1)%uint32(len(rs))]
}

func (p *pool) current() []*reactor.Reactor {
	if rs := p.all.Load(); rs != nil {
		return *rs
	}
	return nil
}

// grow adds reactors until there are want, or until one cannot be made.
func (p *pool) grow(want int) []*reactor.Reactor {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.started {
		p.started = true
		p.kind, p.err = chosenEngine()
	}
	rs := slices.Clone(p.current())
	for p.err == nil && p.kind != engine.Net && len(rs) < want {
		var r *reactor.Reactor
		if r, p.err = p.newReactor(); p.err == nil {
			rs = append(rs, r)
		}
	}
	if p.err != nil && len(rs) == 0 {
		fmt.Fprintf(warnings, "netring: package net serves all connections: %v\n", p.err)
	}
	p.full.Store(p.err != nil || p.kind == engine.Net)
	p.all.Store(&rs)
	return rs
}

// newReactor makes a reactor. If the first has no ring, the others have none either. p.mu
// is held.
func (p *pool) newReactor() (*reactor.Reactor, error) {
	// No read goes through the shared buffers, so the least of them is enough.
	r, err := reactor.New(reactor.Config{Engine: p.kind, Buffers: 1, BufferSize: 512, SmallRead: -1})
	if err != nil {
		return nil, fmt.Errorf("start a reactor: %w", err)
	}
	p.kind, _ = r.Engine()
	return r, nil
}

// chosenEngine returns the engine that the environment asks for.
func chosenEngine() (engine.Kind, error) {
	v := os.Getenv(EngineEnv)
	if v == "" {
		return engine.Auto, nil
	}
	for _, k := range []engine.Kind{engine.Auto, engine.URing, engine.Syscall, engine.Net} {
		if v == k.String() {
			return k, nil
		}
	}
	return engine.Net, fmt.Errorf("%s is %q; use auto, uring, syscall or net", EngineEnv, v)
}

// stats is ReadStats.
func (p *pool) stats() Stats {
	p.mu.Lock()
	s := Stats{Engine: p.kind, Reason: p.err, Sockets: p.served.Load()}
	p.mu.Unlock()
	rs := p.current()
	s.Reactors = len(rs)
	if len(rs) == 0 {
		s.Engine = engine.Net
	}
	for _, r := range rs {
		one := r.Stats()
		s.Open += one.Descriptors
		s.BytesIn += one.BytesIn
		s.BytesOut += one.BytesOut
		s.Batches += one.Batches
		s.Ops += one.Ops
		s.Direct += one.Direct
		s.Events += one.Events
		if _, reason := r.Engine(); reason != nil {
			s.Reason = reason
		}
	}
	return s
}

// report is Report.
func (p *pool) report() string {
	s := p.stats()
	text := fmt.Sprintf("engine=%v reactors=%d sockets=%d open=%d batches=%d ops=%d direct=%d events=%d",
		s.Engine, s.Reactors, s.Sockets, s.Open, s.Batches, s.Ops, s.Direct, s.Events)
	if s.Reason != nil {
		text += fmt.Sprintf(" reason=%q", s.Reason)
	}
	return text
}
