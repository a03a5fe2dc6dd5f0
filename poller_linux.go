package netring

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor"
	"github.com/netring-go/netring/reactor/engine"
)

// Poller is a set of reactors that serve listeners and connections. Most programs need
// no Poller of their own, because [Listen] uses a default Poller. The default Poller
// starts on first use and ends a moment after its last listener and connection.
//
// All methods may be called concurrently.
type Poller struct {
	cfg      Config // with defaults; Engine is the engine in use
	follows  bool   // there is a reactor for each P, see placement
	reason   error  // why EngineAuto did not pick EngineURing
	reactors atomic.Pointer[[]*reactor.Reactor]
	places   placement

	// acceptor is the listeners' own reactor. An Accept waits nearly all the time. On a
	// connection's reactor, Accept would count as a second waiter and end the leader's
	// turn.
	acceptor *reactor.Reactor

	n pollerCounters

	std bool // EngineNet: package net runs everything

	growing sync.Mutex // held by follow, and by Close
	closed  atomic.Bool

	// The default Poller counts its listeners and connections, under defaultPoller.mu.
	// Other Pollers live until Close.
	isDefault bool
	refs      int
	idleSince time.Time // when refs became 0
	lingers   bool      // a timer will check whether refs is 0
}

// NewPoller starts the reactors that cfg describes. All of them use the same engine.
// The caller must Close the Poller after use. NewPoller fails if a field of cfg is out
// of range, or if the process runs out of descriptors or memory. If cfg or the
// environment asks for EngineURing, NewPoller also fails if io_uring is unavailable.
func NewPoller(cfg Config) (*Poller, error) {
	follows := cfg.Reactors == 0
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Poller{cfg: cfg, follows: follows, std: cfg.Engine == EngineNet}
	if p.std {
		p.reactors.Store(new([]*reactor.Reactor))
		logEngine(cfg, EngineNet, "")
		return p, nil
	}
	err = p.start()
	if p.reason != nil {
		// If one reactor gets no ring, no reactor gets a ring.
		p.cfg.Engine = EngineSyscall
		err = errjoin.Join(p.stop(), p.start())
	}
	if err != nil {
		return nil, errjoin.Join(err, p.stop())
	}
	s := p.Stats()
	logEngine(p.cfg, s.Engine, s.EngineReason)
	return p, nil
}

// start makes the reactors. If EngineAuto finds a ring unavailable, start sets
// p.reason and returns early.
func (p *Poller) start() error {
	rs := make([]*reactor.Reactor, 0, p.cfg.Reactors)
	defer func() { p.reactors.Store(&rs) }()
	for len(rs) < p.cfg.Reactors {
		r, err := p.newReactor(p.cfg.ReadBuffers, p.cfg.ReadBufferSize)
		if err != nil {
			return fmt.Errorf("netring: start reactor %d of %d: %w", len(rs)+1, p.cfg.Reactors, err)
		}
		rs = append(rs, r)
		if p.reason != nil && p.cfg.Engine == EngineAuto {
			return nil
		}
	}
	// Listeners read nothing, so one small buffer is enough.
	r, err := p.newReactor(1, minReadBufferSize)
	if err != nil {
		return fmt.Errorf("netring: start the listeners' reactor: %w", err)
	}
	p.acceptor = r
	if p.reason == nil && p.cfg.Engine == EngineAuto {
		p.cfg.Engine = EngineURing
	}
	return nil
}

func (p *Poller) newReactor(buffers, size int) (*reactor.Reactor, error) {
	r, err := reactor.New(p.reactorConfig(buffers, size))
	if err != nil {
		return nil, withRemedy(err)
	}
	if _, reason := r.Engine(); reason != nil {
		p.reason = reason
	}
	return r, nil
}

// reactorConfig returns the configuration of a reactor with the given shared buffers.
func (p *Poller) reactorConfig(buffers, size int) reactor.Config {
	return reactor.Config{Engine: p.cfg.Engine.kind(), Buffers: buffers, BufferSize: size, Report: p.report}
}

// report logs what happened to a ring. A logger may write to a connection of the same
// reactor, whose locks the caller holds.
func (p *Poller) report(event string, err error) {
	if p.cfg.Logger != nil {
		go p.cfg.Logger.Warn("netring: "+event, "error", err)
	}
}

// withRemedy adds what to do to an error of making a reactor.
func withRemedy(err error) error {
	var unavailable *engine.Unavailable
	switch {
	case errors.As(err, &unavailable): // and EngineAuto was not asked for
		return fmt.Errorf("%w; or use EngineAuto, also with %s=auto: without io_uring, it runs the batches as system calls", err, EngineEnv)
	case errors.Is(err, syscall.EMFILE):
		return fmt.Errorf("%w; a reactor needs up to 2 descriptors, and the limit of open files, RLIMIT_NOFILE, is %s: "+
			"raise it, for example with ulimit -n", err, rlimit(unix.RLIMIT_NOFILE))
	case errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%w; the system's limit of open files is reached: raise the sysctl fs.file-max", err)
	}
	return err
}

// stop undoes start.
func (p *Poller) stop() error {
	err := p.closeReactors()
	p.reactors.Store(new([]*reactor.Reactor))
	p.acceptor = nil
	return err
}

// closeReactors closes the reactors concurrently: a reactor whose connections linger
// does not delay the others.
func (p *Poller) closeReactors() error {
	all := p.all()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, r := range all {
		wg.Go(func() { errs[i] = r.Close() })
	}
	wg.Wait()
	return errjoin.Join(errs...)
}

// current returns the reactors that serve connections, none for the zero Poller.
func (p *Poller) current() []*reactor.Reactor {
	if rs := p.reactors.Load(); rs != nil {
		return *rs
	}
	return nil
}

// all returns all reactors, the acceptor last.
func (p *Poller) all() []*reactor.Reactor {
	all := slices.Clone(p.current())
	if p.acceptor != nil {
		all = append(all, p.acceptor)
	}
	return all
}

// Close closes the Poller's listeners and connections and wakes their waiting calls
// with [net.ErrClosed]. When Close returns, the Poller has no goroutine, descriptor or
// mapping left. A second Close returns an error that is net.ErrClosed.
//
// With EngineNet, Close closes nothing but the Poller.
func (p *Poller) Close() error {
	switch {
	case p.reactors.Load() == nil:
		return errNilPoller
	case p.closed.Swap(true):
		return errPollerClosed
	}
	p.growing.Lock()
	defer p.growing.Unlock()
	return p.closeReactors()
}
