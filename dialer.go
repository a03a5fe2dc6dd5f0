package netring

import (
	"context"
	"net"
	"syscall"
	"time"
)

// Dial connects to the address on the named network, like net.Dial. The network must
// be "tcp", "tcp4", "tcp6", "unix" or "unixpacket". Dial returns a *Conn on the default
// Poller. If the environment asks for EngineNet, Dial returns package net's own
// connection. Its errors are *net.OpError.
func Dial(network, address string) (net.Conn, error) {
	var d Dialer
	return d.Dial(network, address)
}

// DialTimeout is Dial with a timeout, like net.DialTimeout.
func DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	d := Dialer{Timeout: timeout}
	return d.Dial(network, address)
}

// Dialer has the fields of net.Dialer, with the same meaning, the Poller to use and the
// size of the write buffer. Its connections are *Conns, unless the Poller's engine is
// EngineNet. Dial and DialContext may be called concurrently.
type Dialer struct {
	Timeout         time.Duration
	Deadline        time.Time
	LocalAddr       net.Addr
	FallbackDelay   time.Duration
	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig
	Resolver        *net.Resolver
	Control         func(network, address string, c syscall.RawConn) error
	ControlContext  func(ctx context.Context, network, address string, c syscall.RawConn) error

	// Poller runs the connections. nil means the default Poller.
	Poller *Poller

	// Coalesce is the size in bytes of the connections' write buffers, see [Config].
	// 0 means the Poller's size, a negative value none.
	Coalesce int

	std net.Dialer // holds the Multipath TCP setting only
}

// SetMultipathTCP sets whether the Dialer uses Multipath TCP where the system supports
// Multipath TCP, see net.Dialer.SetMultipathTCP.
func (d *Dialer) SetMultipathTCP(use bool) { d.std.SetMultipathTCP(use) }

// MultipathTCP reports whether the Dialer uses Multipath TCP where the system supports
// Multipath TCP, see net.Dialer.MultipathTCP.
func (d *Dialer) MultipathTCP() bool { return d.std.MultipathTCP() }

// Dial is DialContext with the background context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// netDialer returns the net.Dialer with d's fields.
func (d *Dialer) netDialer() net.Dialer {
	std := d.std
	std.Timeout, std.Deadline, std.LocalAddr, std.FallbackDelay = d.Timeout, d.Deadline, d.LocalAddr, d.FallbackDelay
	std.KeepAlive, std.KeepAliveConfig, std.Resolver = d.KeepAlive, d.KeepAliveConfig, d.Resolver
	std.Control, std.ControlContext = d.Control, d.ControlContext
	return std
}
