//go:build !linux

package netring

import (
	"context"
	"errors"
	"net"
)

// Outside Linux there is neither io_uring nor epoll: listeners and connections
// are package net's, and a Poller runs nothing.

// Listen is net.ListenConfig's.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	std := lc.netListenConfig()
	return std.Listen(ctx, network, address)
}

// DialContext is net.Dialer's.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	std := d.netDialer()
	return std.DialContext(ctx, network, address)
}

// Poller runs nothing outside Linux.
type Poller struct{}

// Stats is empty outside Linux.
type Stats struct {
	Engine       Engine
	EngineReason string
}

// NewPoller returns a Poller that runs nothing. EngineURing is refused.
func NewPoller(cfg Config) (*Poller, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.Engine == EngineURing {
		return nil, errors.New("netring: io_uring needs Linux: use EngineAuto")
	}
	return &Poller{}, nil
}

// Close does nothing.
func (p *Poller) Close() error { return nil }

// Stats says that nothing is run.
func (p *Poller) Stats() Stats {
	return Stats{Engine: EngineSyscall, EngineReason: "not Linux: package net is used"}
}
