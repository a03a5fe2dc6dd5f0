package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// contest is one server of a section with what it is to do.
type contest struct {
	proc     *proc
	job      job
	outcomes []outcome
	first    snapshot // before the rounds
	last     snapshot // after them
}

// startAll starts a server for each configuration. end ends them all.
func startAll(cfgs ...serverConfig) (ps []*proc, end func() error, err error) {
	end = func() error {
		var errs []error
		for _, p := range ps {
			errs = append(errs, p.end())
		}
		return errors.Join(errs...)
	}
	for _, cfg := range cfgs {
		p, err := start(cfg)
		if err != nil {
			return nil, nil, errors.Join(err, end())
		}
		ps = append(ps, p)
	}
	return ps, end, nil
}

// takeTurns gives each contest its turns.
func (m *measurement) takeTurns(cs []*contest) (err error) {
	for _, c := range cs {
		c.job.dur = m.dur
		if c.first, err = c.proc.snapshot(); err != nil {
			return err
		}
	}
	for range m.rounds {
		for _, i := range rand.Perm(len(cs)) {
			select {
			case <-m.stop:
				return errors.New("interrupted")
			default:
			}
			o, err := run(cs[i].proc, cs[i].job)
			if err != nil {
				return fmt.Errorf("%v: %w", cs[i].proc.cfg, err)
			}
			cs[i].outcomes = append(cs[i].outcomes, o)
		}
	}
	time.Sleep(20 * time.Millisecond) // the servers see the end of the last connections
	for _, c := range cs {
		if c.last, err = c.proc.snapshot(); err != nil {
			return err
		}
	}
	return nil
}

func (c *contest) median(f func(outcome) float64) float64 {
	vs := make([]float64, len(c.outcomes))
	for i, o := range c.outcomes {
		vs[i] = f(o)
	}
	return middle(vs)
}

// ratio is the median of the rounds' ratios of f to the base's.
func (c *contest) ratio(base *contest, f func(outcome) float64) float64 {
	vs := make([]float64, len(c.outcomes))
	for i := range c.outcomes {
		vs[i] = f(c.outcomes[i]) / f(base.outcomes[i])
	}
	return middle(vs)
}

// batch is the mean number of operations in a submission during the rounds.
func (c *contest) batch() float64 {
	return float64(c.last.Ops-c.first.Ops) / float64(c.last.Batches-c.first.Batches)
}

func middle(vs []float64) float64 {
	slices.Sort(vs)
	n := len(vs)
	if n%2 == 1 {
		return vs[n/2]
	}
	return (vs[n/2-1] + vs[n/2]) / 2
}
