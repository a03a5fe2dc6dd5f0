//go:build linux

package netring

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor"
)

// Poller is a set of reactors that serve the connections placed on them. Most
// programs need none of their own: [Listen] uses a default Poller, which is made
// on first use and goes away a moment after its last listener and connection.
//
// All methods may be called concurrently.
type Poller struct {
	cfg      Config // with defaults; Engine is the engine in use
	follows  bool   // there is a reactor for each P, see follow
	reason   error  // why EngineAuto did not pick EngineURing
	reactors atomic.Pointer[[]*reactor.Reactor]
	next     atomic.Uint32 // placement of connections is round robin

	// acceptor is the listeners' own reactor: an Accept waits nearly all the time,
	// and a reactor that has anything else to wait for cannot leave watching to a
	// connection.
	acceptor *reactor.Reactor

	std bool // package net runs everything

	growing sync.Mutex // held while reactors are added, and by Close
	closed  atomic.Bool

	// The default Poller counts its listeners and connections, under defaultPoller.mu.
	// Other Pollers live until Close.
	isDefault bool
	refs      int
	idleSince time.Time // when refs became 0
	lingers   bool      // a timer will look whether refs is 0
}

// Stats counts what a Poller did. Counters of all reactors are added up.
type Stats struct {
	Engine       Engine        // the engine in use; EngineSyscall if any reactor uses that
	EngineReason string        // why EngineAuto did not pick EngineURing, or gave it up; else ""
	Reactors     int           // that serve connections; listeners have one more
	Descriptors  int           // connections and listeners open now
	Waiting      int           // calls that wait now
	Batches      uint64        // submissions to the kernel
	Ops          uint64        // operations in them
	Single       uint64        // submissions of one operation, which EngineURing makes as a system call
	Inline       uint64        // submissions made by the calling goroutine itself, because its reactor was asleep
	Direct       uint64        // operations that the calling goroutine ran itself: until a connection first waits, large writes, those whose batch would be small or late, writes of dialled connections
	Polls        uint64        // looks at a reactor's epoll descriptor
	Events       uint64        // readiness events
	Parks        uint64        // times a reactor went to sleep
	Leads        uint64        // times a waiting caller watched in its reactor's place
	Loops        uint64        // times a reactor's goroutine was started
	Stale        uint64        // completions that belonged to no operation; not 0 means a bug
	Demoted      int           // features of io_uring that failed at run time and are not used any more
	Buffers      bufring.Stats // shared receive buffers
}

// NewPoller starts the reactors that cfg describes. The caller must Close the
// Poller when it is done with it. All of a Poller's reactors use the same engine.
func NewPoller(cfg Config) (*Poller, error) {
	follows := cfg.Reactors == 0
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Poller{cfg: cfg, follows: follows, std: cfg.Engine == EngineNet}
	if p.std {
		p.reactors.Store(new([]*reactor.Reactor))
		return p, nil
	}
	err = p.start()
	if p.reason != nil {
		// Some ring is unavailable, so there shall be none.
		p.cfg.Engine = EngineSyscall
		err = errjoin.Join(p.stop(), p.start())
	}
	if err != nil {
		return nil, errjoin.Join(err, p.stop())
	}
	return p, nil
}

// start makes the reactors. If EngineAuto comes to the end of the rings, p.reason
// says why, and some are missing.
func (p *Poller) start() error {
	rs := make([]*reactor.Reactor, 0, p.cfg.Reactors)
	defer func() { p.reactors.Store(&rs) }()
	for len(rs) < p.cfg.Reactors {
		r, err := p.newReactor(p.cfg.Buffers, p.cfg.BufferSize)
		if err != nil {
			return fmt.Errorf("netring: start reactor %d of %d: %w", len(rs)+1, p.cfg.Reactors, err)
		}
		rs = append(rs, r)
		if p.reason != nil && p.cfg.Engine == EngineAuto {
			return nil
		}
	}
	// Listeners read nothing, so one small buffer will do.
	r, err := p.newReactor(1, bufring.MinBufferSize)
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
	r, err := reactor.New(reactor.Config{Engine: p.cfg.Engine, Buffers: buffers, BufferSize: size})
	if err != nil {
		return nil, withRemedy(err)
	}
	if _, reason := r.Engine(); reason != nil {
		p.reason = reason
	}
	return r, nil
}

// withRemedy says what to do about a lack of descriptors.
func withRemedy(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Errorf("%w (a reactor takes up to 2 descriptors: raise the limit of open files, RLIMIT_NOFILE or ulimit -n)", err)
	}
	return err
}

// stop takes back what start has done.
func (p *Poller) stop() error {
	err := p.closeReactors()
	p.reactors.Store(new([]*reactor.Reactor))
	p.acceptor = nil
	return err
}

// closeReactors closes the reactors, all at once: one whose connections linger does
// not hold up the others.
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

// follow adds reactors if there are more Ps than when it was last called, unless
// their number was given. A reactor whose ring is unavailable is not added: the
// Poller works without.
func (p *Poller) follow() {
	if !p.follows || p.std || len(*p.reactors.Load()) >= defaultReactors() {
		return
	}
	p.growing.Lock()
	defer p.growing.Unlock()
	rs := slices.Clone(*p.reactors.Load())
	for !p.closed.Load() && len(rs) < defaultReactors() {
		r, err := reactor.New(reactor.Config{Engine: p.cfg.Engine, Buffers: p.cfg.Buffers, BufferSize: p.cfg.BufferSize})
		if err != nil {
			break
		}
		rs = append(rs, r)
	}
	for _, r := range rs {
		r.FollowProcs()
	}
	p.reactors.Store(&rs)
}

// all returns the reactors there are, the acceptor included.
func (p *Poller) all() []*reactor.Reactor {
	rs := *p.reactors.Load()
	if p.acceptor == nil {
		return rs
	}
	return append(rs[:len(rs):len(rs)], p.acceptor)
}

// Close closes the Poller's listeners and connections, waking whoever waits on
// them with [net.ErrClosed], ends its goroutines and frees its descriptors and
// mappings. It returns when all of that is done. A second Close returns an error that
// is net.ErrClosed.
//
// With EngineNet, it closes nothing but the Poller.
func (p *Poller) Close() error {
	if p.closed.Swap(true) {
		return errPollerClosed
	}
	p.growing.Lock()
	defer p.growing.Unlock()
	return p.closeReactors()
}

// Stats returns the Poller's counters.
func (p *Poller) Stats() Stats {
	s := Stats{Reactors: len(*p.reactors.Load())}
	if p.std {
		s.Engine = EngineNet
	}
	if p.reason != nil {
		s.EngineReason = p.reason.Error()
	}
	for i, r := range p.all() {
		rs := r.Stats()
		if i == 0 || rs.Engine == EngineSyscall {
			s.Engine = rs.Engine
		}
		if _, reason := r.Engine(); reason != nil { // the ring broke down
			s.EngineReason = reason.Error()
		}
		s.Descriptors += rs.Descriptors
		s.Waiting += rs.Waiting
		s.Batches += rs.Batches
		s.Ops += rs.Ops
		s.Single += rs.Single
		s.Inline += rs.Inline
		s.Direct += rs.Direct
		s.Polls += rs.Polls
		s.Events += rs.Events
		s.Parks += rs.Parks
		s.Leads += rs.Leads
		s.Loops += rs.Loops
		s.Stale += rs.Stale
		s.Demoted += rs.Demoted
		s.Buffers.Buffers += rs.Buffers.Buffers
		s.Buffers.InUse += rs.Buffers.InUse
		s.Buffers.Taken += rs.Buffers.Taken
		s.Buffers.Empty += rs.Buffers.Empty
	}
	return s
}

// place picks the home reactor of a new connection.
func (p *Poller) place() *reactor.Reactor {
	rs := *p.reactors.Load()
	return rs[int(p.next.Add(1)-1)%len(rs)]
}

// errNilPoller is what a call through a Poller that was never made gets.
var errNilPoller = errors.New("netring: the Poller was not made by NewPoller")

// errPollerClosed is what a call through a closed Poller gets.
var errPollerClosed error = pollerClosed{}

type pollerClosed struct{}

func (pollerClosed) Error() string        { return "netring: the Poller is closed: make a new one" }
func (pollerClosed) Is(target error) bool { return target == net.ErrClosed }

// defaultLinger is how long the default Poller outlives its last use, so that a
// program that dials once in a while, and has nothing else open, does not pay for a new
// Poller each time: with a ring that took 316 µs a connection, with package net 75. It
// has no goroutine meanwhile.
const defaultLinger = 250 * time.Millisecond

// defaultPoller is the Poller behind Listen, nil while nothing uses it.
var defaultPoller struct {
	mu sync.Mutex
	p  *Poller
}

// acquire returns the Poller to place a listener or connection on: p, or the
// default one if p is nil. The caller owes it one release.
func acquire(p *Poller) (*Poller, error) {
	if p != nil && !p.isDefault {
		switch {
		case p.reactors.Load() == nil:
			return nil, errNilPoller
		case p.closed.Load():
			return nil, errPollerClosed
		}
		return p, nil
	}
	defaultPoller.mu.Lock()
	defer defaultPoller.mu.Unlock()
	if defaultPoller.p == nil {
		p, err := NewPoller(Config{})
		if err != nil {
			return nil, err
		}
		p.isDefault = true
		defaultPoller.p = p
	}
	defaultPoller.p.refs++
	return defaultPoller.p, nil
}

// networks are those that netring serves.
var networks = []string{"tcp", "tcp4", "tcp6", "unix"}

// networkError says what is wrong with a network, nil if nothing is.
func networkError(network string) error {
	name, _, _ := strings.Cut(network, ":") // as in "ip4:icmp"
	switch {
	case slices.Contains(networks, network):
		return nil
	case slices.Contains([]string{"udp", "udp4", "udp6", "ip", "ip4", "ip6", "unixgram", "unixpacket"}, name):
		return unservedNetwork{net.UnknownNetworkError(network)}
	}
	return net.UnknownNetworkError(network) // it is unknown to package net, too
}

// unservedNetwork is the error for what package net knows and netring does not.
type unservedNetwork struct{ net.UnknownNetworkError }

func (e unservedNetwork) Error() string {
	return fmt.Sprintf("netring: network %q is not served: use one of %q, or package net", string(e.UnknownNetworkError), networks)
}

// Unwrap lets errors.As find package net's error.
func (e unservedNetwork) Unwrap() error { return e.UnknownNetworkError }

// acquireFor is acquire for something on the given network, whose WriteBuffer, the
// named field, is own. It returns the write buffer to use.
func acquireFor(p *Poller, network, field string, own int) (_ *Poller, buffer int, err error) {
	if p, err = acquire(p); err != nil {
		return nil, 0, err
	}
	if !p.std {
		err = networkError(network)
	}
	if err == nil {
		buffer, err = p.writeBuffer(field, own)
	}
	if err != nil {
		return nil, 0, errjoin.Join(err, p.release())
	}
	p.follow()
	return p, buffer, nil
}

// release ends one use of the Poller, and the default Poller some time after its last
// use.
func (p *Poller) release() error {
	if !p.isDefault {
		return nil
	}
	defaultPoller.mu.Lock()
	p.refs--
	if p.refs > 0 {
		defaultPoller.mu.Unlock()
		return nil
	}
	if reactor.InBubble() { // whose timers end with it
		defaultPoller.p = nil
		defaultPoller.mu.Unlock()
		return p.Close()
	}
	p.idleSince = time.Now()
	if !p.lingers {
		p.lingers = true
		time.AfterFunc(defaultLinger, p.lingered)
	}
	defaultPoller.mu.Unlock()
	return nil
}

// lingered ends the default Poller if it has been idle for long enough.
func (p *Poller) lingered() {
	defaultPoller.mu.Lock()
	defer defaultPoller.mu.Unlock()
	p.lingers = false
	if defaultPoller.p != p || p.refs > 0 {
		return
	}
	if left := defaultLinger - time.Since(p.idleSince); left > 0 {
		p.lingers = true
		time.AfterFunc(left, p.lingered)
		return
	}
	defaultPoller.p = nil
	// Nobody is left to be told of an error.
	_ = p.Close()
}
