//go:build linux

package netring

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor"
)

// Poller is a set of reactors that serve the connections placed on them. Most
// programs need none of their own: [Listen] uses a default Poller, which is made
// on first use and goes away with its last listener and connection.
//
// All methods may be called concurrently.
type Poller struct {
	reactors []*reactor.Reactor
	next     atomic.Uint32 // placement of connections is round robin

	// acceptor is the listeners' own reactor: an Accept waits nearly all the time,
	// and a reactor that has anything else to wait for cannot leave watching to a
	// connection.
	acceptor *reactor.Reactor

	std    bool // package net runs everything
	buffer int  // Config.WriteBuffer

	closed atomic.Bool

	// refs counts the default Poller's listeners and connections, under
	// defaultPoller.mu. Other Pollers live until Close.
	isDefault bool
	refs      int
}

// Stats counts what a Poller did. Counters of all reactors are added up.
type Stats struct {
	Engine       Engine        // the engine in use; EngineSyscall if any reactor uses that
	EngineReason string        // why EngineAuto did not pick EngineURing, or gave it up; else ""
	Reactors     int           // that serve connections; listeners have one more
	Descriptors  int           // connections and listeners open now
	Batches      uint64        // submissions to the kernel
	Ops          uint64        // operations in them
	Single       uint64        // submissions of one operation, which EngineURing makes as a system call
	Inline       uint64        // submissions made by the calling goroutine itself, because its reactor was asleep
	Direct       uint64        // operations that the calling goroutine ran itself: until a connection first waits, large writes, those whose batch would be small or late, writes of dialled connections
	Polls        uint64        // looks at a reactor's epoll descriptor
	Events       uint64        // readiness events
	Parks        uint64        // times a reactor went to sleep
	Leads        uint64        // times a waiting caller watched in its reactor's place
	Stale        uint64        // completions that belonged to no operation; not 0 means a bug
	Demoted      int           // features of io_uring that failed at run time and are not used any more
	Buffers      bufring.Stats // shared receive buffers
}

// NewPoller starts the reactors that cfg describes. The caller must Close the
// Poller when it is done with it.
func NewPoller(cfg Config) (*Poller, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Poller{std: cfg.Engine == EngineNet, buffer: cfg.WriteBuffer}
	if p.std {
		return p, nil
	}
	for range cfg.Reactors {
		r, err := reactor.New(reactor.Config{Engine: cfg.Engine, Buffers: cfg.Buffers, BufferSize: cfg.BufferSize})
		if err != nil {
			return nil, errjoin.Join(fmt.Errorf("netring: start reactor %d of %d: %w", len(p.reactors)+1, cfg.Reactors, err), p.Close())
		}
		p.reactors = append(p.reactors, r)
	}
	// Listeners read nothing, so one small buffer will do.
	if p.acceptor, err = reactor.New(reactor.Config{Engine: cfg.Engine, Buffers: 1, BufferSize: bufring.MinBufferSize}); err != nil {
		return nil, errjoin.Join(fmt.Errorf("netring: start the listeners' reactor: %w", err), p.Close())
	}
	return p, nil
}

// all returns the reactors there are, the acceptor included.
func (p *Poller) all() []*reactor.Reactor {
	if p.acceptor == nil {
		return p.reactors
	}
	return append(p.reactors[:len(p.reactors):len(p.reactors)], p.acceptor)
}

// Close closes the Poller's listeners and connections, waking whoever waits on
// them with [net.ErrClosed], ends its goroutines and frees its descriptors and
// mappings. It returns when all of that is done. A second Close returns
// net.ErrClosed.
//
// With EngineNet, it closes nothing but the Poller.
func (p *Poller) Close() error {
	if p.closed.Swap(true) {
		return net.ErrClosed
	}
	var errs []error
	for _, r := range p.all() {
		errs = append(errs, r.Close())
	}
	return errjoin.Join(errs...)
}

// Stats returns the Poller's counters.
func (p *Poller) Stats() Stats {
	s := Stats{Reactors: len(p.reactors)}
	if p.std {
		s.Engine = EngineNet
	}
	for i, r := range p.all() {
		rs := r.Stats()
		if i == 0 || rs.Engine == EngineSyscall {
			s.Engine = rs.Engine
		}
		if _, reason := r.Engine(); reason != nil {
			s.EngineReason = reason.Error()
		}
		s.Descriptors += rs.Descriptors
		s.Batches += rs.Batches
		s.Ops += rs.Ops
		s.Single += rs.Single
		s.Inline += rs.Inline
		s.Direct += rs.Direct
		s.Polls += rs.Polls
		s.Events += rs.Events
		s.Parks += rs.Parks
		s.Leads += rs.Leads
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
	return p.reactors[int(p.next.Add(1)-1)%len(p.reactors)]
}

// errNilPoller is what a call through a Poller that was never made gets.
var errNilPoller = errors.New("netring: the Poller was not made by NewPoller")

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
		case len(p.reactors) == 0 && !p.std:
			return nil, errNilPoller
		case p.closed.Load():
			return nil, net.ErrClosed
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

// acquireFor is acquire for something on the given network, whose WriteBuffer, the
// named field, is own. It returns the write buffer to use.
func acquireFor(p *Poller, network, field string, own int) (_ *Poller, buffer int, err error) {
	if p, err = acquire(p); err != nil {
		return nil, 0, err
	}
	switch network {
	case "tcp", "tcp4", "tcp6", "unix":
	default:
		if !p.std {
			err = net.UnknownNetworkError(network)
		}
	}
	if err == nil {
		buffer, err = p.writeBuffer(field, own)
	}
	if err != nil {
		return nil, 0, errjoin.Join(err, p.release())
	}
	return p, buffer, nil
}

// release ends one use of the Poller, and the default Poller with its last use.
func (p *Poller) release() error {
	if !p.isDefault {
		return nil
	}
	defaultPoller.mu.Lock()
	p.refs--
	last := p.refs == 0
	if last {
		defaultPoller.p = nil
	}
	defaultPoller.mu.Unlock()
	if last {
		return p.Close()
	}
	return nil
}
