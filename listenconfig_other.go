//go:build !linux

package netring

import (
	"context"
	"net"
)

// Listen announces on the local network address, see [Listen]. ctx applies to
// resolving the address. The errors of Listen are *net.OpError.
//
// With EngineNet, Listen returns package net's own listener.
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l := new(Listener)
	own, err := l.listen(ctx, lc, lc.Poller.portable(), network, address)
	if err != nil || own != nil {
		return own, err
	}
	return l, nil
}
