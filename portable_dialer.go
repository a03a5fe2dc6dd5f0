package netring

import (
	"context"
	"net"

	"github.com/netring-go/netring/internal/errjoin"
)

// dial is Dialer.DialContext. It makes c the connection. With EngineNet, it returns
// package net's own connection instead. If p is nil, the connection is on the default one.
func (c *portableConn) dial(ctx context.Context, d *Dialer, p *portablePoller, network, address string) (own net.Conn, err error) {
	p, err = acquirePortable(p, network, "Dialer.Coalesce", d.Coalesce)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: d.LocalAddr, Addr: nil, Err: err}
	}
	std := d.netDialer()
	sc, err := std.DialContext(ctx, network, address)
	if err != nil || p.std {
		return sc, err
	}
	if err := c.init(p, network, sc); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: sc.LocalAddr(), Addr: sc.RemoteAddr(), Err: errjoin.Join(err, sc.Close())}
	}
	return nil, nil
}
