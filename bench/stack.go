package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/netring-go/netring"
)

// stack is an implementation of package net's listeners and connections.
type stack struct {
	listen func() (net.Listener, error)
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// newStack returns the implementation of that name: "net", "uring" or "syscall",
// the latter two with "+cw" for coalescing writes, or "+lease", which is up to the
// server. With "+seccomp", it first puts the process behind a filter.
func newStack(impl string) (stack, error) {
	const addr = "127.0.0.1:0"
	name, variant, _ := strings.Cut(impl, "+")
	if variant == "seccomp" {
		if err := installSeccomp(); err != nil {
			return stack{}, err
		}
		variant = ""
	}
	if name == "net" && variant == "" {
		var d net.Dialer
		return stack{
			listen: func() (net.Listener, error) { return net.Listen("tcp", addr) },
			dial:   d.DialContext,
		}, nil
	}
	engine, ok := map[string]netring.Engine{"uring": netring.EngineURing, "syscall": netring.EngineSyscall}[name]
	if !ok || variant != "" && variant != "cw" && variant != "lease" {
		return stack{}, fmt.Errorf("unknown implementation %q", impl)
	}
	p, err := netring.NewPoller(netring.Config{Engine: engine})
	if err != nil {
		return stack{}, err
	}
	lc := netring.ListenConfig{Poller: p}
	if variant == "cw" {
		coalesce(&lc)
	}
	d := netring.Dialer{Poller: p}
	return stack{
		listen: func() (net.Listener, error) { return lc.Listen(context.Background(), "tcp", addr) },
		dial:   d.DialContext,
	}, nil
}
