package main

import (
	"errors"
	"slices"
)

// listeners measures accepting: a connection per request, on one listener and on
// several that share the port with SO_REUSEPORT, on one Poller and on one each.
func (m *measurement) listeners() (err error) {
	cfgs := []serverConfig{
		{Impl: "net"},
		{Impl: "net", Listeners: 2},
		{Impl: "uring"},
		{Impl: "uring", Listeners: 2},
		{Impl: "uring", Listeners: 4},
		{Impl: "uring", Pollers: 2, Reactors: 1},
	}
	ps, end, err := startAll(cfgs...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var cs []*contest
	for _, p := range ps {
		cs = append(cs, &contest{proc: p, job: job{conns: 64, fresh: true}})
	}
	if err := m.takeTurns(cs); err != nil {
		return err
	}
	one := cs[2]
	m.printf("## A connection per request\n\n| server | pollers | listeners | connections/s | ÷ netring with one | CPU µs/connection | ÷ netring with one | busiest listener ÷ mean |\n|---|---|---|---|---|---|---|---|\n")
	for _, c := range cs {
		cfg := c.proc.cfg
		m.printf("| %s | %d | %d | %.0f | %.2f | %.1f | %.2f | %.2f |\n", cfg.Impl, max(cfg.Pollers, 1), cfg.sockets(),
			c.median(rate), c.ratio(one, rate), c.median(cpuPer), c.ratio(one, cpuPer), c.imbalance())
	}
	m.printf("\n")
	return nil
}

// imbalance is how many times its fair share the busiest listener accepted.
func (c *contest) imbalance() float64 {
	counts := slices.Clone(c.last.Accepted)
	for i := range counts {
		counts[i] -= c.first.Accepted[i]
	}
	return float64(slices.Max(counts)) * float64(len(counts)) / float64(total(counts))
}
