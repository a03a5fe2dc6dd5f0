package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring"
)

// engines are the stacks of netring.
var engines = map[string]netring.Engine{"uring": netring.EngineURing, "syscall": netring.EngineSyscall}

// stack is an implementation of package net's listeners and connections.
type stack struct {
	listen interface {
		Listen(ctx context.Context, network, address string) (net.Listener, error)
	}
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// newStack returns the configured stack. A stack of netring has its own Poller.
func (s *server) newStack() (stack, error) {
	var control func(_, _ string, c syscall.RawConn) error
	if s.cfg.Pollers > 1 || s.cfg.Listeners > 1 {
		control = reusePort
	}
	if s.cfg.Stack == "net" {
		return stack{&net.ListenConfig{Control: control}, new(net.Dialer).DialContext}, nil
	}
	engine, ok := engines[s.cfg.Stack]
	if !ok {
		return stack{}, fmt.Errorf("the stack is %q; use net, uring or syscall", s.cfg.Stack)
	}
	p, err := netring.NewPoller(netring.Config{Engine: engine, Reactors: s.cfg.Reactors})
	if err != nil {
		return stack{}, err
	}
	s.pollers = append(s.pollers, p)
	lc := &netring.ListenConfig{Poller: p, Control: control}
	if s.cfg.Coalesce {
		lc.Coalesce = 64 << 10
	}
	return stack{lc, (&netring.Dialer{Poller: p}).DialContext}, nil
}

// reusePort is a Control function that sets SO_REUSEPORT.
func reusePort(_, _ string, c syscall.RawConn) error {
	var err error
	ctlErr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(ctlErr, err)
}

// countingListener counts the connections that it accepts.
type countingListener struct {
	net.Listener
	n atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return c, err
}
