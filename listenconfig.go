package netring

import (
	"context"
	"net"
	"syscall"
	"time"
)

// Listen is net.Listen on io_uring: it announces on the local network address.
// The network must be "tcp", "tcp4", "tcp6" or "unix". On Linux, the
// listener it returns is a *Listener, and what that accepts are *Conns, on the
// default Poller.
func Listen(network, address string) (net.Listener, error) {
	var lc ListenConfig
	return lc.Listen(context.Background(), network, address)
}

// ListenConfig has the fields of net.ListenConfig, with their meaning, and the
// Poller to use.
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

	// WriteBuffer is the write buffer of accepted connections in bytes, see
	// [Config]. 0 means the Poller's, a negative size none.
	WriteBuffer int

	std net.ListenConfig // keeps the Multipath TCP setting only
}

// SetMultipathTCP is net.ListenConfig's.
func (lc *ListenConfig) SetMultipathTCP(use bool) { lc.std.SetMultipathTCP(use) }

// MultipathTCP is net.ListenConfig's.
func (lc *ListenConfig) MultipathTCP() bool { return lc.std.MultipathTCP() }

// netListenConfig returns the net.ListenConfig with lc's fields.
func (lc *ListenConfig) netListenConfig() net.ListenConfig {
	std := lc.std
	std.Control, std.KeepAlive, std.KeepAliveConfig = lc.Control, lc.KeepAlive, lc.KeepAliveConfig
	return std
}
