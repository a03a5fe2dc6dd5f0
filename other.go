//go:build !linux

package netring

import (
	"context"
	"errors"
	"net"
	"runtime"
)

// Outside Linux there is neither io_uring nor epoll: listeners and connections
// are package net's, and a Poller runs nothing.

// Listen is net.ListenConfig's.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if err := checkEngine(EngineAuto); err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	std := lc.netListenConfig()
	return std.Listen(ctx, network, address)
}

// DialContext is net.Dialer's.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if err := checkEngine(EngineAuto); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: d.LocalAddr, Err: err}
	}
	std := d.netDialer()
	return std.DialContext(ctx, network, address)
}

// checkEngine refuses what only Linux has.
func checkEngine(e Engine) error {
	e, err := override(e)
	if err == nil && e == EngineURing {
		err = errors.New("netring: io_uring needs Linux: use EngineAuto")
	}
	return err
}

// Poller runs nothing outside Linux.
type Poller struct{}

// Stats is nearly empty outside Linux.
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
	if err := checkEngine(cfg.Engine); err != nil {
		return nil, err
	}
	return &Poller{}, nil
}

// Close does nothing.
func (p *Poller) Close() error { return nil }

// notLinux is why there is no other engine.
const notLinux = "not Linux: package net is used"

// Stats says that nothing is run.
func (p *Poller) Stats() Stats { return Stats{Engine: EngineNet, EngineReason: notLinux} }

// Probe says that nothing is to be had. It fails if the environment asks for an
// engine that does not exist.
func Probe() (*Report, error) {
	if _, err := override(EngineAuto); err != nil {
		return nil, err
	}
	return &Report{Kernel: runtime.GOOS, Engine: EngineNet, Reason: notLinux}, nil
}
