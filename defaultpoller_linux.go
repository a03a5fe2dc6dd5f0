package netring

import (
	"slices"
	"sync"
	"time"

	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor"
)

// defaultLinger is how long the default Poller outlives its last use. It spares a
// program that has one connection at a time the cost of a new Poller for each, see
// docs/performance.md. A Poller that lingers has no goroutine.
const defaultLinger = 250 * time.Millisecond

// defaultPoller is the Poller behind Listen, nil while nothing uses it.
var defaultPoller struct {
	mu   sync.Mutex
	p    *Poller
	past Stats // the counters of those that have ended
}

// acquire returns the Poller for a listener or connection: p, or the default Poller if
// p is nil. The caller must release the Poller once.
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

// acquireFor is acquire for a listener or connection on the given network. own is the
// value of the named field, the size of the write buffer. acquireFor also returns the
// size to use.
func acquireFor(p *Poller, network, field string, own int) (_ *Poller, buffer int, err error) {
	if p, err = acquire(p); err != nil {
		return nil, 0, err
	}
	if !p.std {
		err = networkError(network)
	}
	if err == nil {
		buffer, err = p.cfg.coalesce(field, own)
	}
	if err != nil {
		return nil, 0, errjoin.Join(err, p.release())
	}
	p.follow()
	return p, buffer, nil
}

// release ends one use of the Poller. The default Poller ends defaultLinger after its
// last use.
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
	if reactor.InBubble() { // a timer would end with the bubble
		defer defaultPoller.mu.Unlock()
		defaultPoller.p = nil
		return p.end()
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
	// Nobody is left to receive an error.
	_ = p.end()
}

// end closes the default Poller, which has just been replaced by none. Its counters are
// not lost. defaultPoller.mu is held.
func (p *Poller) end() error {
	err := p.Close()
	s := p.Stats()
	s.follow(defaultPoller.past)
	defaultPoller.past = s.past()
	return err
}

// defaultStats is DefaultStats.
func defaultStats() Stats {
	defaultPoller.mu.Lock()
	defer defaultPoller.mu.Unlock()
	if defaultPoller.p == nil {
		s := defaultPoller.past
		s.PerReactor = slices.Clone(s.PerReactor)
		return s
	}
	s := defaultPoller.p.Stats()
	s.follow(defaultPoller.past)
	return s
}
