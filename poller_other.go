//go:build !linux

package netring

// Poller is a set of listeners and connections. Outside Linux, it runs nothing:
// package net does. Its Close closes them all, and its Stats counts them.
//
// All methods may be called concurrently.
type Poller struct{ portablePoller }

// NewPoller returns a Poller for the given configuration. The caller must Close the
// Poller when it is done with it. NewPoller fails if a field of cfg is out of range, or
// if cfg or the environment asks for EngineURing, which only Linux has.
func NewPoller(cfg Config) (*Poller, error) {
	p := new(Poller)
	if err := p.init(cfg); err != nil {
		return nil, err
	}
	return p, nil
}

// portable returns what p embeds, nil if p is.
func (p *Poller) portable() *portablePoller {
	if p == nil {
		return nil
	}
	return &p.portablePoller
}
