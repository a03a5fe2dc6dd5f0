package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/netring-go/netring"
)

// measurement compares the engines by serving echo.
type measurement struct {
	MessageSize int             `json:"message_bytes"`
	Connections int             `json:"connections"`
	Rounds      int             `json:"rounds"`
	Turn        time.Duration   `json:"turn_ns"`
	Engines     []*engineRounds `json:"engines"`
	Comparisons []comparison    `json:"comparisons"`
}

// engineRounds are an engine's figures, one for each round.
type engineRounds struct {
	Engine netring.Engine `json:"engine"`
	Rate   []float64      `json:"messages_per_second"`
	CPU    []float64      `json:"cpu_us_per_message,omitempty"` // of the server process; nil: unknown
}

// server serves one engine's turns.
type server struct {
	engine netring.Engine
	listen func() (net.Listener, error)
	stats  func() netring.Stats // nil for package net
	close  func() error
}

// measure serves echo with package net and with each engine up to running, the engine of
// the default Poller, in turns of random order. A child process makes the load. The
// caller keeps the default Poller in use.
func measure(running netring.Engine, rounds int, turn time.Duration) (m *measurement, err error) {
	servers, err := newServers(running)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.close())
		}
	}()
	m = &measurement{MessageSize: messageSize, Connections: connections, Rounds: rounds, Turn: turn}
	for _, s := range servers {
		m.Engines = append(m.Engines, &engineRounds{Engine: s.engine})
	}
	for range rounds {
		for _, i := range rand.Perm(len(servers)) {
			rate, cpu, err := servers[i].serve(turn)
			if err != nil {
				return nil, fmt.Errorf("measure %v: %w", servers[i].engine, err)
			}
			e := m.Engines[i]
			e.Rate = append(e.Rate, rate)
			if cpu > 0 {
				e.CPU = append(e.CPU, cpu)
			}
		}
	}
	m.compare()
	return m, nil
}

// compare fills in the comparisons: each engine with those before it.
func (m *measurement) compare() {
	for i, e := range m.Engines {
		for _, against := range m.Engines[:i] {
			c := comparison{Engine: e.Engine, Against: against.Engine, Rate: compare(e.Rate, against.Rate)}
			if len(e.CPU) == len(e.Rate) && len(against.CPU) == len(e.Rate) {
				c.CPU = new(figure)
				*c.CPU = compare(e.CPU, against.CPU)
			}
			m.Comparisons = append(m.Comparisons, c)
		}
	}
}

// find returns the comparison of two engines, nil if there is none.
func (m *measurement) find(engine, against netring.Engine) *comparison {
	if m == nil {
		return nil
	}
	i := slices.IndexFunc(m.Comparisons, func(c comparison) bool { return c.Engine == engine && c.Against == against })
	if i < 0 {
		return nil
	}
	return &m.Comparisons[i]
}

// newServers returns a server for package net and for each engine up to running. The
// last one is the default Poller: what programs run is what is measured.
func newServers(running netring.Engine) (servers []*server, err error) {
	servers = []*server{{
		engine: netring.EngineNet,
		listen: func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
		close:  func() error { return nil },
	}}
	if running == netring.EngineURing {
		s, err := newSyscallServer()
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return append(servers, &server{
		engine: running,
		listen: func() (net.Listener, error) { return netring.Listen("tcp", "127.0.0.1:0") },
		stats:  netring.DefaultStats,
		close:  func() error { return nil },
	}), nil
}

// newSyscallServer returns a server with a Poller of its own, whatever the environment
// asks for.
func newSyscallServer() (_ *server, err error) {
	if v, ok := os.LookupEnv(netring.EngineEnv); ok {
		if err := os.Unsetenv(netring.EngineEnv); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.Setenv(netring.EngineEnv, v)) }()
	}
	p, err := netring.NewPoller(netring.Config{Engine: netring.EngineSyscall})
	if err != nil {
		return nil, err
	}
	lc := netring.ListenConfig{Poller: p}
	return &server{
		engine: netring.EngineSyscall,
		listen: func() (net.Listener, error) { return lc.Listen(context.Background(), "tcp", "127.0.0.1:0") },
		stats:  p.Stats,
		close:  p.Close,
	}, nil
}

// serve serves one turn and returns messages per second and the CPU time of this process
// per message, in microseconds. It fails if another engine than s.engine has served.
func (s *server) serve(turn time.Duration) (rate, cpu float64, err error) {
	ln, err := s.listen()
	if err != nil {
		return 0, 0, err
	}
	var served sync.WaitGroup
	served.Go(func() { acceptAll(ln, &served) })
	accepted := s.accepted()
	before := processTime()
	n, took, err := startLoad(ln.Addr(), turn)
	used := processTime() - before
	if s.stats != nil {
		if st := s.stats(); st.Engine != s.engine {
			err = errors.Join(err, fmt.Errorf("the engine %v served instead of %v: %s", st.Engine, s.engine, st.EngineReason))
		}
		if n := s.accepted() - accepted; err == nil && n < connections {
			err = fmt.Errorf("the engine %v accepted %d connections of %d", s.engine, n, connections)
		}
	}
	err = errors.Join(err, ln.Close())
	served.Wait()
	if err != nil {
		return 0, 0, err
	}
	return float64(n) / took.Seconds(), float64(used.Nanoseconds()) / 1e3 / float64(n), nil
}

// accepted returns how many connections netring has accepted.
func (s *server) accepted() uint64 {
	if s.stats == nil {
		return 0
	}
	return s.stats().Accepted
}

// acceptAll echoes on each connection of ln until ln is closed.
func acceptAll(ln net.Listener, served *sync.WaitGroup) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return // ln was closed; a client that is not served fails by itself
		}
		served.Go(func() {
			defer c.Close()
			// The copy ends when the load generator closes the connection, perhaps in the
			// middle of a message.
			_, _ = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, make([]byte, 4096))
		})
	}
}
