//go:build !linux

package netring

// Poller is a set of listeners and connections. Outside Linux, package net runs them.
// Close closes them all, and Stats counts them.
//
// All methods may be called concurrently.
type Poller struct{ portablePoller }

// NewPoller returns a Poller for the given configuration. The caller must Close the
// Poller after use. NewPoller fails if a field of cfg is out of range, or if cfg or the
// environment asks for EngineURing, which only Linux has.
func NewPoller(cfg Config) (*Poller, error) {
	p := new(Poller)
	if err := p.init(cfg); err != nil {
		return nil, err
	}
	return p, nil
}

// defaultStats is DefaultStats.
func defaultStats() Stats { return portableDefault.stats() }

// portable returns the portablePoller that p embeds, nil if p is nil.
func (p *Poller) portable() *portablePoller {
	if p == nil {
		return nil
	}
	return &p.portablePoller
}
