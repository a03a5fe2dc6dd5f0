//go:build netring_try_overlay

// Package hook sends net.Listen and net.Dial to netring. netring-try adds this package to
// the standard library of the build, so that every program can import it without a line in
// its go.mod.
package hook

import (
	"context"
	"net"
	"sync/atomic"

	"netringtry/github.com/netring-go/netring"
	"netringtry/stats"
)

// listeners and dials count what this package has made on netring.
var listeners, dials atomic.Int64

func init() {
	net.NetringTry(listen, dial)
	stats.Start(encodeReport)
}

// listen is net.ListenConfig.Listen on netring. It reports whether netring serves the
// network; if not, package net goes on as without netring.
func listen(lc *net.ListenConfig, ctx context.Context, network, address string) (net.Listener, error, bool) {
	if !serves(network) {
		return nil, nil, false
	}
	ring := netring.ListenConfig{Control: lc.Control, KeepAlive: lc.KeepAlive, KeepAliveConfig: lc.KeepAliveConfig}
	ring.SetMultipathTCP(lc.MultipathTCP())
	l, err := ring.Listen(ctx, network, address)
	if err == nil {
		listeners.Add(1)
	}
	return l, err, true
}

// dial is net.Dialer.DialContext on netring. It reports whether netring serves the network.
func dial(d *net.Dialer, ctx context.Context, network, address string) (net.Conn, error, bool) {
	if !serves(network) {
		return nil, nil, false
	}
	if d.Cancel != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go cancelOn(ctx, cancel, d.Cancel)
	}
	ring := netring.Dialer{
		Timeout:         d.Timeout,
		Deadline:        d.Deadline,
		LocalAddr:       d.LocalAddr,
		FallbackDelay:   d.FallbackDelay,
		KeepAlive:       d.KeepAlive,
		KeepAliveConfig: d.KeepAliveConfig,
		Resolver:        d.Resolver,
		Control:         d.Control,
		ControlContext:  d.ControlContext,
	}
	ring.SetMultipathTCP(d.MultipathTCP())
	c, err := ring.DialContext(ctx, network, address)
	if err == nil {
		dials.Add(1)
	}
	return c, err, true
}

// cancelOn calls cancel when old, a net.Dialer's deprecated Cancel, is closed.
func cancelOn(ctx context.Context, cancel context.CancelFunc, old <-chan struct{}) {
	select {
	case <-old:
		cancel()
	case <-ctx.Done():
	}
}

// serves reports whether netring serves the network. Package net keeps all others.
func serves(network string) bool {
	switch network {
	case "tcp", "tcp4", "tcp6", "unix", "unixpacket":
		return true
	}
	return false
}
