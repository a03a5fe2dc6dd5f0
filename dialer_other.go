//go:build !linux

package netring

import (
	"context"
	"net"
)

// DialContext connects to the address on the named network. ctx applies to connecting
// only: the end of ctx does not affect the connection. The errors of DialContext are
// *net.OpError with Op "dial".
//
// With EngineNet, DialContext returns package net's own connection.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c := new(Conn)
	own, err := c.dial(ctx, d, d.Poller.portable(), network, address)
	if err != nil || own != nil {
		return own, err
	}
	return c, nil
}
