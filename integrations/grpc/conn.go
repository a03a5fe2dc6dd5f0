package netringgrpc

import (
	"net"
	"syscall"

	"github.com/netring-go/netring"
)

var (
	_ net.Conn     = (*Conn)(nil)
	_ syscall.Conn = (*Conn)(nil)
)

// Conn is a *netring.Conn for grpc-go. All methods may be called concurrently.
type Conn struct {
	*netring.Conn
	ready readyReader
}

// NetConn returns the *netring.Conn inside, as (*tls.Conn).NetConn does.
func (c *Conn) NetConn() net.Conn { return c.Conn }
