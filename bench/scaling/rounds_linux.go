package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/rounds"
)

// contest is one server of a section with what it is to do.
type contest struct {
	child    *child
	job      job
	outcomes []load.Result
	first    snapshot // before the rounds
	last     snapshot // after them
}

// startAll starts a server for each configuration. end ends them all.
func startAll(cfgs ...serverConfig) (ps []*child, end func() error, err error) {
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
		if c.first, err = c.child.snapshot(); err != nil {
			return err
		}
	}
	for range m.rounds {
		err := rounds.Round(len(cs), m.stop, func(i int) error {
			o, err := run(cs[i].child, cs[i].job)
			if err != nil {
				return fmt.Errorf("%v: %w", cs[i].child.cfg, err)
			}
			cs[i].outcomes = append(cs[i].outcomes, o)
			return nil
		})
		if err != nil {
			return err
		}
	}
	time.Sleep(20 * time.Millisecond) // the servers see the end of the last connections
	for _, c := range cs {
		if c.last, err = c.child.snapshot(); err != nil {
			return err
		}
	}
	return nil
}

func (c *contest) median(f func(load.Result) float64) float64 {
	return rounds.MedianOf(c.outcomes, f)
}

// ratio is the median of the rounds' ratios of f to the base's.
func (c *contest) ratio(base *contest, f func(load.Result) float64) float64 {
	return rounds.RatioOf(c.outcomes, base.outcomes, f)
}

// batch is the mean number of operations in a submission during the rounds.
func (c *contest) batch() float64 {
	return float64(c.last.Ops-c.first.Ops) / float64(c.last.Batches-c.first.Batches)
}
