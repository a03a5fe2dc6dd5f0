package netring

import (
	"context"
	"net"
	"syscall"
	"time"
)

// Listen is net.Listen on io_uring: it announces on the local network address.
// The network must be "tcp", "tcp4", "tcp6", "unix" or "unixpacket". Listen returns a
// *Listener on the default Poller, which accepts *Conns. If the environment asks for EngineNet,
// Listen returns package net's own listener. Its errors are *net.OpError.
func Listen(network, address string) (net.Listener, error) {
	var lc ListenConfig
	return lc.Listen(context.Background(), network, address)
}

// ListenConfig has the fields of net.ListenConfig, with the same meaning, the Poller to
// use and the size of the write buffer. Its listeners are *Listeners, unless the
// Poller's engine is EngineNet.
type ListenConfig struct {
	// Control, if not nil, is called after the socket is made and before it is
	// bound, see net.ListenConfig.
	Control func(network, address string, c syscall.RawConn) error

	// KeepAlive and KeepAliveConfig are the keep-alive settings of accepted
	// connections, see net.ListenConfig. Zero values mean probes every 15 s.
	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig

	// Poller runs the listener and its connections. nil means the default Poller.
	Poller *Poller

	// Coalesce is the size in bytes of the accepted connections' write buffers, see
	// [Config]. 0 means the Poller's size, a negative value none.
	Coalesce int

	std net.ListenConfig // holds the Multipath TCP setting only
}

// SetMultipathTCP sets whether listeners use Multipath TCP where the system supports
// Multipath TCP, see net.ListenConfig.SetMultipathTCP.
func (lc *ListenConfig) SetMultipathTCP(use bool) { lc.std.SetMultipathTCP(use) }

// MultipathTCP reports whether listeners use Multipath TCP where the system supports
// Multipath TCP, see net.ListenConfig.MultipathTCP.
func (lc *ListenConfig) MultipathTCP() bool { return lc.std.MultipathTCP() }

// netListenConfig returns the net.ListenConfig with lc's fields.
func (lc *ListenConfig) netListenConfig() net.ListenConfig {
	std := lc.std
	std.Control, std.KeepAlive, std.KeepAliveConfig = lc.Control, lc.KeepAlive, lc.KeepAliveConfig
	return std
}
