package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// locks measures how the library's locks are contended under load, in the library
// itself, and for how long they are held, on copies of their critical sections,
// which are not exported.
func (m *measurement) locks() (err error) {
	if err := m.contention(); err != nil {
		return err
	}
	m.printf("## Critical sections\n\n| lock | section | CPU ns, one thread | CPU ns, two threads at it |\n|---|---|---|---|\n")
	for _, s := range criticalSections() {
		alone, both := s.measure(m.dur/2, 1), s.measure(m.dur/2, 2)
		m.printf("| %s | %s | %.0f | %.0f |\n", s.lock, s.what, alone, both)
	}
	send, recv, err := socketCalls(2000)
	if err != nil {
		return err
	}
	m.printf("| ringMu | a batch: per send of %d bytes | %.0f | – |\n| ringMu | a batch: per receive of them | %.0f | – |\n\n",
		len(load.Answer), send, recv)
	return nil
}

// contention prints who waited for which lock while 64 and 256 connections were
// busy.
func (m *measurement) contention() (err error) {
	m.printf("## Contended locks of the ring engine\n\n| connections | lock | waits per 1000 requests | waited ns/request |\n|---|---|---|---|\n")
	for _, n := range []int{64, 256} {
		if err := m.contentionOf(n); err != nil {
			return err
		}
	}
	m.printf("\n")
	return nil
}

func (m *measurement) contentionOf(conns int) (err error) {
	p, err := start(serverConfig{Impl: "uring", Locks: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	// A first turn, for what happens once only.
	if _, err := run(p, job{conns: conns, dur: 50 * time.Millisecond}); err != nil {
		return err
	}
	before, err := p.snapshot()
	if err != nil {
		return err
	}
	o, err := run(p, job{conns: conns, dur: time.Duration(m.rounds) * m.dur})
	if err != nil {
		return err
	}
	after, err := p.snapshot()
	if err != nil {
		return err
	}
	sums := map[string]lockSite{}
	add := func(sites []lockSite, sign int64) {
		for _, s := range sites {
			name := lockName(s.Function)
			sum := sums[name]
			sum.Count += sign * s.Count
			sum.Seconds += float64(sign) * s.Seconds
			sums[name] = sum
		}
	}
	add(after.Locks, 1)
	add(before.Locks, -1)
	names := slices.SortedFunc(maps.Keys(sums), func(a, b string) int { return cmp.Compare(sums[b].Seconds, sums[a].Seconds) })
	for _, name := range names {
		s := sums[name]
		// The warm-up of the load, an eighth of its time, is in the counts.
		requests := float64(o.Requests) * 9 / 8
		if s.Count > 0 {
			m.printf("| %d | %s | %.2f | %.1f |\n", conns, name, 1000*float64(s.Count)/requests, 1e9*s.Seconds/requests)
		}
	}
	return nil
}

// lockName names the lock that a function releases.
func lockName(function string) string {
	short := function[strings.LastIndex(function, "/")+1:]
	for _, l := range []struct{ part, lock string }{
		{"reactor.(*handoff).", "handoff.mu"},
		{"reactor.(*Reactor).run", "ringMu"},
		{"reactor.(*slotTable).", "slotTable.mu"},
		{"reactor.(*Reactor).dispatch", "slotTable.mu"},
		{"reactor.(*Reactor).register", "descriptor.mu"},
		{"reactor.(*descriptor).", "descriptor.mu"},
		{"reactor.(*FD).", "descriptor.mu"},
		{"reactor.(*Listener).", "descriptor.mu"},
		{"bufring.(*Ring).", "bufring.Ring.mu"},
		{"netring.acquire", "defaultPoller.mu"},
	} {
		if strings.HasPrefix(short, l.part) {
			return l.lock
		}
	}
	if strings.HasPrefix(function, "runtime.") {
		return fmt.Sprintf("the runtime's own (%s)", function)
	}
	return function
}
