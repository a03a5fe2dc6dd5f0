// Package listen has what the examples share: the flags that choose between netring and
// net, so that users can compare the two, and running a server until a signal.
package listen

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/netring-go/netring"
)

// Flags are the examples' common flags, and the Poller that they ask for.
type Flags struct {
	// Coalesce is the size in bytes of the accepted connections' write buffers, see
	// netring.Config. Examples set it before they listen.
	Coalesce int

	addr, listener string
	engine         netring.Engine

	poller *netring.Poller // nil until the first listener, and with -listener net
}

// Register adds the flags to fs, with addr as the default address.
func Register(fs *flag.FlagSet, addr string) *Flags {
	var f Flags
	fs.StringVar(&f.addr, "addr", addr, "`address` to listen on")
	fs.StringVar(&f.listener, "listener", "netring", "netring or net: which package's listener to use")
	fs.TextVar(&f.engine, "engine", netring.EngineAuto, "auto, uring, syscall or net: how netring reaches the kernel")
	return &f
}

// Addr returns the address to listen on.
func (f *Flags) Addr() string { return f.addr }

// Poller returns the Poller of the listeners, nil if there is none.
func (f *Flags) Poller() *netring.Poller { return f.poller }

// Listen listens on the address that the flags give.
func (f *Flags) Listen() (net.Listener, error) {
	lc, err := f.config()
	if err != nil {
		return nil, err
	}
	if lc == nil {
		return net.Listen("tcp", f.addr)
	}
	return lc.Listen(context.Background(), "tcp", f.addr)
}

// FileListener returns a listener for the listening socket file. The caller may close
// file.
func (f *Flags) FileListener(file *os.File) (net.Listener, error) {
	lc, err := f.config()
	if err != nil {
		return nil, err
	}
	if lc == nil {
		return net.FileListener(file)
	}
	return lc.FileListener(file)
}

// Wrap returns a listener with the socket of l, a listener of package net.
func (f *Flags) Wrap(l net.Listener) (net.Listener, error) {
	lc, err := f.config()
	if lc == nil || err != nil {
		return l, err
	}
	return lc.Wrap(l)
}

// Dial connects. Its connections run on the Poller of the listeners.
func (f *Flags) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if f.poller == nil {
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	d := netring.Dialer{Poller: f.poller}
	return d.DialContext(ctx, network, address)
}

// Stats returns the counters of the Poller. The engine is EngineNet if there is no
// Poller.
func (f *Flags) Stats() netring.Stats {
	if f.poller == nil {
		return netring.Stats{Engine: netring.EngineNet}
	}
	return f.poller.Stats()
}

// config returns how to listen, nil for package net. netring.Listen("tcp", addr) is
// enough to listen. The Poller is for choosing the engine and reporting which engine
// runs.
func (f *Flags) config() (*netring.ListenConfig, error) {
	switch f.listener {
	case "net":
		return nil, nil
	case "netring":
	default:
		return nil, fmt.Errorf("-listener is %q; use netring or net", f.listener)
	}
	if f.poller == nil {
		p, err := netring.NewPoller(netring.Config{Engine: f.engine})
		if err != nil {
			return nil, err
		}
		f.poller = p
	}
	return &netring.ListenConfig{Poller: f.poller, Coalesce: f.Coalesce}, nil
}

// close closes the Poller, if there is one.
func (f *Flags) close() error {
	if f.poller == nil {
		return nil
	}
	return f.poller.Close()
}

// describe returns a line about a listener and what serves it.
func (f *Flags) describe(ln net.Listener) string {
	s := f.Stats()
	if _, ok := ln.(*netring.Listener); !ok && (f.poller == nil || s.Engine != netring.EngineNet) {
		return fmt.Sprintf("listening on %s with net", ln.Addr())
	}
	what := fmt.Sprintf("listening on %s with netring, engine %v", ln.Addr(), s.Engine)
	if s.EngineReason != "" {
		what += " (" + s.EngineReason + ")"
	}
	return what
}
