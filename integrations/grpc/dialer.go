package netringgrpc

import (
	"context"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/keepalive"

	"github.com/netring-go/netring"
)

// DialContext is a dialer for grpc.WithContextDialer. It is for clients with the default
// keepalive parameters; [Dialer] is for others. It returns a *Conn.
func DialContext(ctx context.Context, address string) (net.Conn, error) {
	var d Dialer
	return d.DialContext(ctx, address)
}

// Dialer has the settings of a dialer. The zero value has the defaults.
type Dialer struct {
	// Dialer connects. With EngineNet, it makes package net's own connections, and so
	// does DialContext. If its KeepAlive and KeepAliveConfig are zero, TCP's keep-alive
	// probes are on with the system's times, as those of grpc-go's own dialer are.
	Dialer netring.Dialer

	// Keepalive is what the client gets by grpc.WithKeepaliveParams; the zero value is for a
	// client without this option. It decides the TCP_USER_TIMEOUT of connections: Timeout,
	// or 20 s if Timeout is 0. The zero value and an infinite Time (math.MaxInt64) mean none.
	Keepalive keepalive.ClientParameters
}

// DialContext is for grpc.WithContextDialer. It connects to a TCP address, or to a unix
// socket if address starts with "unix:" or, in the abstract namespace of Linux, with a zero
// byte.
func (d *Dialer) DialContext(ctx context.Context, address string) (net.Conn, error) {
	timeout, err := clientTimeout(d.Keepalive)
	if err != nil {
		return nil, err
	}
	nd := d.Dialer
	if nd.KeepAlive == 0 && !nd.KeepAliveConfig.Enable {
		nd.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1}
	}
	network, address := splitAddress(address)
	c, err := nd.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	inner, ok := c.(*netring.Conn)
	if !ok {
		return c, nil // EngineNet
	}
	own, err := newConn(inner, timeout)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
	}
	return own, nil
}

// splitAddress returns the network and the address in what grpc-go gives to a dialer.
func splitAddress(address string) (network, rest string) {
	if strings.HasPrefix(address, "\x00") {
		return "unix", address
	}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "unix", strings.TrimPrefix(path, "//")
	}
	return "tcp", address
}

// clientTimeout returns the TCP_USER_TIMEOUT of a client's connections. A Time of 0 that a
// client passes is not infinite: grpc-go raises it to 10 s.
func clientTimeout(kp keepalive.ClientParameters) (time.Duration, error) {
	if kp == (keepalive.ClientParameters{}) || kp.Time == infinity {
		return 0, nil
	}
	return userTimeout(kp.Timeout)
}
