package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// oneCore is one server of each kind. On a core of its own it is measured with less
// noise, and this is about growth, not about cores.
func oneCore() (cfgs []serverConfig) {
	for _, impl := range []string{"net", "uring", "syscall"} {
		cfgs = append(cfgs, serverConfig{Impl: impl, OneCore: true})
	}
	return cfgs
}

// busyConnections measures the cost of a request against the number of connections
// that are busy.
func (m *measurement) busyConnections() (err error) {
	ps, end, err := startAll(oneCore()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	m.printf("## Busy connections, server on one core\n\n| connections | server | requests/s | ÷ net | CPU µs/request | ÷ net | operations/batch |\n|---|---|---|---|---|---|---|\n")
	for _, n := range []int{1, 16, 64, 256, 1024} {
		var cs []*contest
		for _, p := range ps {
			cs = append(cs, &contest{child: p, job: job{conns: n}})
		}
		if err := m.takeTurns(cs); err != nil {
			return err
		}
		for _, c := range cs {
			batch := "–"
			if c.child.cfg.Impl != "net" {
				batch = fmt.Sprintf("%.1f", c.batch())
			}
			m.printf("| %d | %s | %.0f | %.2f | %.2f | %.2f | %s |\n", n, c.child.cfg.Impl,
				c.median(load.Result.Rate), c.ratio(cs[0], load.Result.Rate), c.median(load.Result.CPUMicros), c.ratio(cs[0], load.Result.CPUMicros), batch)
		}
	}
	m.printf("\n")
	return nil
}

// idleConnections measures what connections that wait cost: their memory, and the
// cost of a request on 64 others.
func (m *measurement) idleConnections() (err error) {
	m.printf("## Idle connections beside 64 busy ones, server on one core\n\n| idle | server | requests/s | CPU µs/request | heap KiB/connection | stack KiB/connection | resident KiB/connection |\n|---|---|---|---|---|---|---|\n")
	for _, n := range []int{0, 1000, 5000} {
		if err := m.idle(n); err != nil {
			return err
		}
	}
	m.printf("\n")
	return nil
}

func (m *measurement) idle(n int) (err error) {
	ps, end, err := startAll(oneCore()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var fds []int
	defer func() {
		for _, fd := range fds {
			err = errors.Join(err, unix.Close(fd))
		}
	}()
	var cs []*contest
	per := make([][3]float64, len(ps))
	for i, p := range ps {
		cs = append(cs, &contest{child: p, job: job{conns: 64}})
		// What the first connections need once should not count.
		if _, err := run(p, job{conns: 64, dur: 50 * time.Millisecond}); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond) // it sees the end of them
		before, err := p.snapshot()
		if err != nil {
			return err
		}
		for range n {
			fd, err := load.Dial(p.Port)
			if err != nil {
				return err
			}
			fds = append(fds, fd)
		}
		after, err := p.awaitAccepted(before, n)
		if err != nil {
			return err
		}
		if n > 0 {
			each := func(a, b uint64) float64 { return (float64(a) - float64(b)) / 1024 / float64(n) }
			per[i] = [3]float64{each(after.Heap, before.Heap), each(after.Stack, before.Stack), each(after.RSS, before.RSS)}
		}
	}
	if err := m.takeTurns(cs); err != nil {
		return err
	}
	for i, c := range cs {
		memory := "– | – | –"
		if n > 0 {
			memory = fmt.Sprintf("%.2f | %.2f | %.2f", per[i][0], per[i][1], per[i][2])
		}
		m.printf("| %d | %s | %.0f | %.2f | %s |\n", n, c.child.cfg.Impl, c.median(load.Result.Rate), c.median(load.Result.CPUMicros), memory)
	}
	return nil
}

// awaitAccepted waits until the server has accepted n connections more.
func (p *child) awaitAccepted(before snapshot, n int) (after snapshot, err error) {
	for range 200 {
		if after, err = p.snapshot(); err != nil {
			return after, err
		}
		if total(after.Accepted)-total(before.Accepted) >= int64(n) {
			time.Sleep(20 * time.Millisecond) // the goroutines of the last ones read
			return p.snapshot()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return after, errors.New("connections were not accepted")
}

func total(ns []int64) (sum int64) {
	for _, n := range ns {
		sum += n
	}
	return sum
}
