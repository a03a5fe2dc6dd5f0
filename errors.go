package netring

import (
	"errors"
	"net"
)

// ErrUnread is inside the error of SyscallConn's Read, File and Detach while the
// connection holds bytes received ahead. A read of less than 512 bytes can receive
// more than it asks for, and the socket no longer has these bytes. Read [Conn.Unread]
// bytes first; those reads do not wait. Outside Linux, nothing is received ahead, so
// ErrUnread does not occur.
var ErrUnread = errors.New("netring: the connection holds bytes received ahead; read Conn.Unread bytes first")

// errNotTCP is Detach's error for a unix connection.
var errNotTCP = errors.New("netring: Detach needs a TCP connection; use File for a unix connection")

// errBoundaries is SetCoalescing's error for a connection of messages.
var errBoundaries = errors.New("netring: SetCoalescing: a unixpacket connection keeps the boundaries of messages, so its writes do not merge; use 0")

// errNilPoller is the error of a call through the zero Poller.
var errNilPoller = errors.New("netring: the Poller is the zero value; make a Poller with NewPoller")

// errPollerClosed is the error of a call through a closed Poller.
var errPollerClosed error = pollerClosed{}

type pollerClosed struct{}

func (pollerClosed) Error() string        { return "netring: the Poller is closed; make a new Poller" }
func (pollerClosed) Is(target error) bool { return target == net.ErrClosed }

// listenError wraps an error of making a listener, unless package net has wrapped it.
func listenError(network string, addr net.Addr, err error) error {
	var oe *net.OpError
	if errors.As(err, &oe) {
		return err
	}
	return &net.OpError{Op: "listen", Net: network, Source: nil, Addr: addr, Err: err}
}
