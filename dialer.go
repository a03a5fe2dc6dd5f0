package netring

import (
	"context"
	"net"
	"syscall"
	"time"
)

// Dial connects to the address on the named network, "tcp", "tcp4", "tcp6" or
// "unix", like net.Dial. On Linux, the connection is a *Conn on the default Poller.
func Dial(network, address string) (net.Conn, error) {
	var d Dialer
	return d.Dial(network, address)
}

// DialTimeout is Dial with a timeout, like net.DialTimeout.
func DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	d := Dialer{Timeout: timeout}
	return d.Dial(network, address)
}

// Dialer has the fields of net.Dialer, with their meaning, and the Poller to use.
// Its methods may be called concurrently.
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

	// WriteBuffer is the write buffer of the connections in bytes, see [Config]. 0
	// means the Poller's, a negative size none.
	WriteBuffer int

	std net.Dialer // keeps the Multipath TCP setting only
}

// SetMultipathTCP is net.Dialer's.
func (d *Dialer) SetMultipathTCP(use bool) { d.std.SetMultipathTCP(use) }

// MultipathTCP is net.Dialer's.
func (d *Dialer) MultipathTCP() bool { return d.std.MultipathTCP() }

// Dial connects to the address on the named network.
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
