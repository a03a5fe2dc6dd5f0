package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/netring-go/netring/bench/internal/load"
)

// rings measures the same load on more and more reactors: what one would see of
// them with more cores, if they had nothing to do with each other, and with fewer
// connections for each.
func (m *measurement) rings() (err error) {
	var cfgs []serverConfig
	for _, n := range []int{1, 2, 4, 8, 16} {
		cfgs = append(cfgs, serverConfig{Impl: "uring", Reactors: n})
	}
	ps, end, err := startAll(cfgs...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	m.printf("## Rings on %d cores\n\n| connections | reactors | requests/s | ÷ 1 reactor | CPU µs/request | ÷ 1 reactor | operations/batch |\n|---|---|---|---|---|---|---|\n", runtime.NumCPU())
	for _, n := range []int{64, 256} {
		var cs []*contest
		for _, p := range ps {
			cs = append(cs, &contest{child: p, job: job{conns: n}})
		}
		if err := m.takeTurns(cs); err != nil {
			return err
		}
		for _, c := range cs {
			m.printf("| %d | %d | %.0f | %.2f | %.2f | %.2f | %.1f |\n", n, c.child.cfg.Reactors,
				c.median(load.Result.Rate), c.ratio(cs[0], load.Result.Rate), c.median(load.Result.CPUMicros), c.ratio(cs[0], load.Result.CPUMicros), c.batch())
		}
	}
	m.printf("\n")
	return nil
}

// reactorCost measures what a reactor holds that does nothing.
func (m *measurement) reactorCost() (err error) {
	const more = 64
	m.printf("## A reactor that does nothing\n\n| engine | resident KiB | heap KiB | descriptors | goroutines |\n|---|---|---|---|---|\n")
	for _, impl := range []string{"uring", "syscall"} {
		if err := m.reactorCostOf(impl, more); err != nil {
			return err
		}
	}
	m.printf("\n")
	return nil
}

func (m *measurement) reactorCostOf(impl string, more int) (err error) {
	ps, end, err := startAll(serverConfig{Impl: impl, Reactors: 1}, serverConfig{Impl: impl, Reactors: 1 + more})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	one, err := ps[0].snapshot()
	if err != nil {
		return err
	}
	many, err := ps[1].snapshot()
	if err != nil {
		return err
	}
	each := func(a, b uint64) string { return fmt.Sprintf("%.1f", (float64(a)-float64(b))/1024/float64(more)) }
	m.printf("| %s | %s | %s | %.1f | %.1f |\n", impl, each(many.RSS, one.RSS), each(many.Heap, one.Heap),
		float64(many.FDs-one.FDs)/float64(more), float64(many.Goroutines-one.Goroutines)/float64(more))
	return nil
}
