package netring

import (
	"errors"
	"net"
)

// ErrUnread is the error inside what SyscallConn's Read, File and Detach return
// while the connection holds bytes that it received ahead of a read of less than 512
// bytes: the socket alone does not give the whole stream then. Read [Conn.Unread]
// bytes first; that many are returned without waiting. Outside Linux, nothing is
// received ahead, and there is no such error.
var ErrUnread = errors.New("netring: the connection holds bytes received ahead; Read them first")

// errNotTCP is why a unix connection cannot be detached.
var errNotTCP = errors.New("netring: Detach is for TCP connections only; use File")

// errNilPoller is what a call through a Poller that was never made gets.
var errNilPoller = errors.New("netring: the Poller was not made by NewPoller")

// errPollerClosed is what a call through a closed Poller gets.
var errPollerClosed error = pollerClosed{}

type pollerClosed struct{}

func (pollerClosed) Error() string        { return "netring: the Poller is closed: make a new one" }
func (pollerClosed) Is(target error) bool { return target == net.ErrClosed }

// listenError wraps an error of making a listener, unless it is package net's,
// which has its shape already.
func listenError(network string, addr net.Addr, err error) error {
	var oe *net.OpError
	if errors.As(err, &oe) {
		return err
	}
	return &net.OpError{Op: "listen", Net: network, Source: nil, Addr: addr, Err: err}
}
