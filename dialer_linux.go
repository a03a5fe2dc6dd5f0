package netring

import (
	"context"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// DialContext connects to the address on the named network. ctx applies to
// connecting only; its end does not affect the connection. Errors are *net.OpError
// with Op "dial".
//
// Resolving, racing of IPv6 and IPv4 (happy eyeballs), timeouts and connecting are
// package net's; the reactor takes over the connected socket. With EngineNet,
// DialContext returns package net's own connection.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	std := d.netDialer()
	// A Poller that cannot be used is found before anything is sent.
	p, buffer, err := acquireFor(d.Poller, network, "Dialer.WriteBuffer", d.WriteBuffer)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: d.LocalAddr, Addr: nil, Err: err}
	}
	placed := false
	defer func() {
		if !placed { // also if Control panics or ends the goroutine
			// Callers know package net's error. A failure to end the default Poller cannot
			// be reported next to it without changing its type.
			_ = p.release()
		}
	}()
	sc, err := std.DialContext(ctx, network, address)
	if err != nil || p.std {
		return sc, err
	}
	c, err := takeOverConn(p, network, sc, buffer)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: sc.LocalAddr(), Addr: sc.RemoteAddr(), Err: err}
	}
	placed = true
	return c, nil
}

// takeOverConn makes a Conn of a duplicate of sc's descriptor and closes sc.
func takeOverConn(p *Poller, network string, sc net.Conn, buffer int) (*Conn, error) {
	sysfd, err := duplicate(sc.(syscall.Conn))
	if err = errjoin.Join(err, sc.Close()); err != nil {
		if sysfd >= 0 {
			err = errjoin.Join(err, unix.Close(sysfd))
		}
		return nil, err
	}
	tcp := false
	if _, ok := sc.LocalAddr().(*net.TCPAddr); ok {
		protocol, err := unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if err != nil {
			return nil, errjoin.Join(os.NewSyscallError("getsockopt", err), unix.Close(sysfd))
		}
		tcp = protocol == unix.IPPROTO_TCP
	}
	c, err := newConn(p, sysfd, tcp, network, sc.LocalAddr(), sc.RemoteAddr(), buffer)
	if err != nil {
		return nil, errjoin.Join(err, unix.Close(sysfd))
	}
	// A client's peer answers what it receives. http.Transport looks at the request's
	// body once more after writing it, and fails if the answer has made the server side
	// of a proxy close the body meanwhile. Package net has this race, too, but rarely
	// loses it: its Write returns before the answer can arrive.
	c.fd.SetDirectWrites()
	return c, nil
}
