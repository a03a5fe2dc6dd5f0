package netring

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/netring-go/netring/internal/errjoin"
)

// notLinux is why package net runs everything.
const notLinux = "not Linux: package net is used"

// portablePoller is Poller on top of package net: it knows its listeners and
// connections, and runs nothing. Outside Linux, Poller embeds portablePoller. On Linux,
// only tests use it.
type portablePoller struct {
	cfg    Config    // with defaults
	std    bool      // EngineNet: listeners and connections are package net's own
	leases sync.Pool // *[]byte of cfg.ReadBufferSize bytes

	mu     sync.Mutex
	open   map[io.Closer]struct{} // package net's listeners and connections; nil before init
	closed bool
}

// init is NewPoller.
func (p *portablePoller) init(cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	if cfg.Engine == EngineURing {
		return fmt.Errorf("netring: the engine is %v, which needs Linux; use EngineAuto, or %s=auto in the environment", cfg.Engine, EngineEnv)
	}
	p.cfg, p.std = cfg, cfg.Engine == EngineNet
	p.leases.New = func() any {
		mem := make([]byte, cfg.ReadBufferSize)
		return &mem
	}
	p.open = make(map[io.Closer]struct{})
	s := p.Stats()
	logEngine(cfg, s.Engine, s.EngineReason)
	return nil
}

// logEngine tells Config.Logger which engine a new Poller has.
func logEngine(cfg Config, e Engine, reason string) {
	cfg.log().Info("netring: poller started", "engine", e, "reason", reason, "reactors", cfg.Reactors)
}

// acquirePortable returns the Poller for a listener or connection on the given network:
// p, or the default one if p is nil. own is the value of the named field, the size of the
// write buffer.
func acquirePortable(p *portablePoller, network, field string, own int) (_ *portablePoller, err error) {
	if p == nil {
		if p, err = portableDefault.acquire(); err != nil {
			return nil, err
		}
	}
	if err := p.usable(); err != nil {
		return nil, err
	}
	if !p.std {
		if err := networkError(network); err != nil {
			return nil, err
		}
	}
	_, err = p.cfg.coalesce(field, own)
	return p, err
}

// portableDefault is the default Poller. It lasts until it has nothing open.
var portableDefault defaultPortable

type defaultPortable struct {
	mu sync.Mutex
	p  *portablePoller // nil: there has been none yet
}

func (d *defaultPortable) acquire() (*portablePoller, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unused() {
		p := new(portablePoller)
		if err := p.init(Config{}); err != nil {
			return nil, err
		}
		d.p = p
	}
	return d.p, nil
}

// unused reports whether the default Poller has nothing open. d.mu is held.
func (d *defaultPortable) unused() bool { return d.p == nil || d.p.Stats().Descriptors == 0 }

// stats is DefaultStats.
func (d *defaultPortable) stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unused() {
		return Stats{}
	}
	return d.p.Stats()
}

// usable returns why p cannot be used, nil if it can.
func (p *portablePoller) usable() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.open == nil:
		return errNilPoller
	case p.closed:
		return errPollerClosed
	}
	return nil
}

// add registers c, for Close to close. It fails if the Poller is closed.
func (p *portablePoller) add(c io.Closer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errPollerClosed
	}
	p.open[c] = struct{}{}
	return nil
}

// remove forgets c. Removing c twice is no error.
func (p *portablePoller) remove(c io.Closer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// portableOrphan is what closing an unreachable listener or connection needs.
type portableOrphan struct {
	poller *portablePoller
	std    io.Closer
}

// close closes the listener or connection. Nobody is left to receive its error.
func (o portableOrphan) close() {
	o.poller.remove(o.std)
	_ = o.std.Close()
}

// Close closes the Poller's listeners and connections and wakes their waiting calls
// with [net.ErrClosed]. A second Close returns an error that is net.ErrClosed.
//
// With EngineNet, Close closes nothing but the Poller.
func (p *portablePoller) Close() error {
	if err := p.usable(); err != nil {
		return err
	}
	p.mu.Lock()
	if p.closed { // by somebody else, meanwhile
		p.mu.Unlock()
		return errPollerClosed
	}
	p.closed = true
	open := p.open
	p.open = make(map[io.Closer]struct{})
	p.mu.Unlock()
	var errs []error
	for c := range open {
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errjoin.Join(errs...)
}

// Stats returns the number of open listeners and connections. Outside Linux, the
// Poller counts nothing else.
func (p *portablePoller) Stats() Stats {
	s := Stats{Engine: EngineNet}
	if !p.std {
		s.EngineReason = notLinux
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Descriptors = len(p.open)
	return s
}
