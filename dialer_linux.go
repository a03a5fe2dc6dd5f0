package netring

import (
	"context"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// DialContext connects to the address on the named network. ctx applies to connecting
// only: the end of ctx does not affect the connection. The errors of DialContext are
// *net.OpError with Op "dial".
//
// Package net resolves the address and connects, with timeouts and happy eyeballs; then
// the reactor takes over the connected socket. With EngineNet, DialContext returns
// package net's own connection.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	std := d.netDialer()
	// A Poller that is unusable must fail the call before anything is sent.
	p, buffer, err := acquireFor(d.Poller, network, "Dialer.Coalesce", d.Coalesce)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: d.LocalAddr, Addr: nil, Err: err}
	}
	placed := false
	defer func() {
		if !placed { // also if Control panics or ends the goroutine
			// Joining an error of release would change the type of package net's error, which
			// callers know.
			_ = p.release()
		}
	}()
	sc, err := std.DialContext(ctx, network, address)
	if err != nil || p.std {
		return sc, err
	}
	c, err := takeOverConn(p, network, sc, buffer)
	if err != nil {
		err = errjoin.Join(err, closeAfter(sc))
		return nil, &net.OpError{Op: "dial", Net: network, Source: sc.LocalAddr(), Addr: sc.RemoteAddr(), Err: err}
	}
	// A client's peer answers what it receives. http.Transport checks the request's body
	// again after writing it. In a proxy, the answer can make the server side close the
	// body before that check, which then fails. Package net has this race, too, but
	// rarely loses: its Write returns before the answer can arrive. Direct writes do the
	// same.
	c.fd.SetDirectWrites()
	c.dialled = true
	p.n.dialled.Add(1)
	placed = true
	return c, nil
}

// takeOverConn makes a Conn of a duplicate of sc's descriptor and closes sc. On failure,
// sc stays open, unless closing it is what failed.
func takeOverConn(p *Poller, network string, sc net.Conn, buffer int) (_ *Conn, err error) {
	sysfd, err := duplicate(sc.(syscall.Conn))
	if err != nil {
		return nil, err
	}
	placed := false
	defer func() {
		if !placed {
			err = errjoin.Join(err, unix.Close(sysfd))
		}
	}()
	tcp := false
	if _, ok := sc.LocalAddr().(*net.TCPAddr); ok {
		protocol, err := unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if err != nil {
			return nil, os.NewSyscallError("getsockopt", err)
		}
		tcp = protocol == unix.IPPROTO_TCP
	}
	c, err := newConn(p, sysfd, tcp, network, sc.LocalAddr(), sc.RemoteAddr(), buffer)
	if err != nil {
		return nil, placeError(err)
	}
	placed = true
	if err := sc.Close(); err != nil {
		c.cleanup.Stop()
		return nil, errjoin.Join(err, c.fd.Close())
	}
	return c, nil
}
