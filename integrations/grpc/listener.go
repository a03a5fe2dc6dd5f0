package netringgrpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"time"

	"google.golang.org/grpc/keepalive"

	"github.com/netring-go/netring"
)

var _ net.Listener = (*Listener)(nil)

// Listen is netring.Listen for a grpc.Server with the default keepalive parameters. It
// returns a *Listener, which accepts *Conns.
func Listen(network, address string) (net.Listener, error) {
	var lc ListenConfig
	return lc.Listen(context.Background(), network, address)
}

// Wrap is netring.Wrap for a grpc.Server with the default keepalive parameters: it moves l
// to netring, unless l is a *netring.Listener, and returns a *Listener.
func Wrap(l net.Listener) (net.Listener, error) {
	var lc ListenConfig
	return lc.Wrap(l)
}

// ListenConfig has the settings of a Listener. The zero value has the defaults.
type ListenConfig struct {
	// ListenConfig makes the listener. With EngineNet, it makes package net's own
	// listener, and so do the methods here.
	ListenConfig netring.ListenConfig

	// Keepalive is what the server gets by grpc.KeepaliveParams. It decides the
	// TCP_USER_TIMEOUT of accepted connections: Timeout, or 20 s if Timeout is 0, or none
	// if Time is infinite (math.MaxInt64).
	Keepalive keepalive.ServerParameters
}

// Listen announces on the local network address, see netring.ListenConfig.Listen.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return lc.listener(func() (net.Listener, error) { return lc.ListenConfig.Listen(ctx, network, address) })
}

// FileListener returns a listener for the listening socket f, see netring.FileListener.
func (lc *ListenConfig) FileListener(f *os.File) (net.Listener, error) {
	return lc.listener(func() (net.Listener, error) { return lc.ListenConfig.FileListener(f) })
}

// Wrap moves l to netring, unless l is a *netring.Listener, see netring.Wrap. It returns a
// *Listener as it is, with the Keepalive that made it.
func (lc *ListenConfig) Wrap(l net.Listener) (net.Listener, error) {
	if own, ok := l.(*Listener); ok {
		return own, nil
	}
	return lc.listener(func() (net.Listener, error) { return lc.ListenConfig.Wrap(l) })
}

// listener wraps the listener that open returns.
func (lc *ListenConfig) listener(open func() (net.Listener, error)) (net.Listener, error) {
	timeout, err := serverTimeout(lc.Keepalive)
	if err != nil {
		return nil, err
	}
	l, err := open()
	if err != nil {
		return nil, err
	}
	own, ok := l.(*netring.Listener)
	if !ok {
		return l, nil // EngineNet
	}
	return &Listener{Listener: own, userTimeout: timeout}, nil
}

// Listener is a *netring.Listener whose connections are *Conns.
type Listener struct {
	*netring.Listener
	userTimeout time.Duration // 0: none
}

// Accept waits for the next connection, which is a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err // returning c would make an interface that holds a nil *Conn
	}
	return c, nil
}

// AcceptConn is Accept, but returns a *Conn.
func (l *Listener) AcceptConn() (*Conn, error) {
	inner, err := l.Listener.AcceptConn()
	if err != nil {
		return nil, err
	}
	c, err := newConn(inner, l.userTimeout)
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: err}
	}
	return c, nil
}

// newConn makes a Conn of c. On failure, it closes c.
func newConn(c *netring.Conn, userTimeout time.Duration) (*Conn, error) {
	own := &Conn{Conn: c}
	if userTimeout == 0 {
		return own, nil
	}
	if err := own.setUserTimeout(userTimeout); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return own, nil
}

// The defaults and the infinite time of grpc-go's keepalive parameters.
const (
	defaultTimeout = 20 * time.Second
	infinity       = time.Duration(math.MaxInt64)
)

// serverTimeout returns the TCP_USER_TIMEOUT of a server's connections.
func serverTimeout(kp keepalive.ServerParameters) (time.Duration, error) {
	if kp.Time == infinity {
		return 0, nil
	}
	return userTimeout(kp.Timeout)
}

// userTimeout returns the TCP_USER_TIMEOUT for a keepalive timeout.
func userTimeout(d time.Duration) (time.Duration, error) {
	if d == 0 {
		d = defaultTimeout
	}
	if d < 0 || d/time.Millisecond > math.MaxInt32 {
		return 0, fmt.Errorf("netringgrpc: Keepalive.Timeout is %v; use 0 for %v, or up to %v", d, defaultTimeout, math.MaxInt32*time.Millisecond)
	}
	return d, nil
}
