package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/bench/internal/load"
)

// serverConfig says what server a child process is. It travels as JSON.
type serverConfig struct {
	Impl      string // "net", "uring" or "syscall"
	Reactors  int    `json:",omitempty"` // of each Poller; 0: one for each P
	Pollers   int    `json:",omitempty"` // 0: one
	Listeners int    `json:",omitempty"` // on each Poller; 0: one. More than one in all share the port with SO_REUSEPORT
	OneCore   bool   `json:",omitempty"` // on the first CPU, with the load on the second
	Locks     bool   `json:",omitempty"` // profile the contention of locks
}

func (c serverConfig) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // it has nothing that JSON does not
	}
	return string(b)
}

// sockets is how many listeners share the port.
func (c serverConfig) sockets() int { return max(c.Pollers, 1) * max(c.Listeners, 1) }

// running is a server.
type running struct {
	pollers  []*netring.Poller
	port     int
	accepted []*atomic.Int64 // by listener
}

// runServer is a server's process. It prints its port first; for each line of in it
// prints a snapshot; it ends with in.
func runServer(config string, in io.Reader, out io.Writer) error {
	var cfg serverConfig
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		return err
	}
	if cfg.Locks {
		runtime.SetMutexProfileFraction(1)
	}
	s, err := listenAll(cfg)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	if err := enc.Encode(s.port); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		snap, err := s.snapshot()
		if err == nil {
			err = enc.Encode(snap)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

// listenAll opens all listeners of cfg on one port and serves them.
func listenAll(cfg serverConfig) (*running, error) {
	s := &running{}
	for i := range max(cfg.Pollers, 1) {
		listen, err := s.listenFunc(cfg)
		if err != nil {
			return nil, err
		}
		for j := range max(cfg.Listeners, 1) {
			ln, err := listen(fmt.Sprintf("127.0.0.1:%d", s.port))
			if err != nil {
				return nil, fmt.Errorf("listener %d of poller %d: %w", j, i, err)
			}
			s.port = ln.Addr().(*net.TCPAddr).Port
			n := new(atomic.Int64)
			s.accepted = append(s.accepted, n)
			go serve(ln, n)
		}
	}
	return s, nil
}

// listenFunc returns how to listen, with a new Poller if it takes one.
func (s *running) listenFunc(cfg serverConfig) (func(addr string) (net.Listener, error), error) {
	control := func(_, _ string, c syscall.RawConn) error {
		var err error
		ctlErr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(ctlErr, err)
	}
	if cfg.sockets() == 1 {
		control = nil
	}
	if cfg.Impl == "net" {
		lc := net.ListenConfig{Control: control}
		return func(addr string) (net.Listener, error) { return lc.Listen(context.Background(), "tcp", addr) }, nil
	}
	engines := map[string]netring.Engine{"uring": netring.EngineURing, "syscall": netring.EngineSyscall}
	engine, ok := engines[cfg.Impl]
	if !ok {
		return nil, fmt.Errorf("unknown implementation %q", cfg.Impl)
	}
	p, err := netring.NewPoller(netring.Config{Engine: engine, Reactors: cfg.Reactors})
	if err != nil {
		return nil, err
	}
	s.pollers = append(s.pollers, p)
	lc := netring.ListenConfig{Poller: p, Control: control}
	return func(addr string) (net.Listener, error) { return lc.Listen(context.Background(), "tcp", addr) }, nil
}

func serve(ln net.Listener, n *atomic.Int64) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return // the process ends
		}
		n.Add(1)
		go load.AnswerReads(c, 1024)
	}
}
