// Package listen has the flags that the examples share. The flags choose between netring
// and net, so that users can compare the two.
package listen

import (
	"context"
	"flag"
	"fmt"
	"net"

	"github.com/netring-go/netring"
)

// Flags are the examples' common flags.
type Flags struct {
	addr, listener string
	engine         netring.Engine
}

// Register adds the flags to fs, with addr as the default address.
func Register(fs *flag.FlagSet, addr string) *Flags {
	var f Flags
	fs.StringVar(&f.addr, "addr", addr, "`address` to listen on")
	fs.StringVar(&f.listener, "listener", "netring", "netring or net: which package's listener to use")
	fs.TextVar(&f.engine, "engine", netring.EngineAuto, "auto, uring, syscall or net: how netring reaches the kernel")
	return &f
}

// Listen returns the listener that the flags choose, and a line that describes it. The
// caller must call done when the listener and its connections are closed.
func (f *Flags) Listen() (ln net.Listener, what string, done func() error, err error) {
	switch f.listener {
	case "net":
		ln, err = net.Listen("tcp", f.addr)
		if err != nil {
			return nil, "", nil, err
		}
		return ln, fmt.Sprintf("listening on %s with net", ln.Addr()), func() error { return nil }, nil
	case "netring":
	default:
		return nil, "", nil, fmt.Errorf("-listener is %q; use netring or net", f.listener)
	}
	// netring.Listen("tcp", addr) is enough to listen. The Poller is for choosing the
	// engine and reporting which engine runs.
	p, err := netring.NewPoller(netring.Config{Engine: f.engine})
	if err != nil {
		return nil, "", nil, err
	}
	lc := netring.ListenConfig{Poller: p}
	ln, err = lc.Listen(context.Background(), "tcp", f.addr)
	if err != nil {
		p.Close()
		return nil, "", nil, err
	}
	s := p.Stats()
	what = fmt.Sprintf("listening on %s with netring, engine %v", ln.Addr(), s.Engine)
	if s.EngineReason != "" {
		what += " (" + s.EngineReason + ")"
	}
	return ln, what, p.Close, nil
}
