package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/proc"
	"github.com/netring-go/netring/bench/internal/rounds"
)

// bench is one invocation of the command.
type bench struct {
	rounds int
	dur    time.Duration
	conns  int
	match  *regexp.Regexp
	flames string // directory, "" for none
	stop   <-chan os.Signal
	out    io.Writer
}

// entry is a server under measurement.
type entry struct {
	variant
	child   *child
	trouble string        // why there are no results
	results []load.Result // one per round
	calls   float64       // system calls per request, NaN: not known
}

// baseLines are the servers that a shape's ratios are to.
func baseLines(shape string) []variant {
	var bases []variant
	for _, v := range variants() {
		if v.shape != shape || v.thread == threadLocked {
			continue
		}
		if v.mode == modeEpoll || v.mode == modeNet || v.mode == modeNetringURing {
			bases = append(bases, v)
		}
	}
	return bases
}

// chosen returns the variants of a shape to measure: those that match, and the
// base lines if any does.
func (b *bench) chosen(shape string) (es []*entry) {
	matched := false
	base := map[string]bool{}
	for _, v := range baseLines(shape) {
		base[v.String()] = true
	}
	for _, v := range variants() {
		if v.shape != shape {
			continue
		}
		is := b.match.MatchString(v.String())
		matched = matched || is
		if is || base[v.String()] {
			es = append(es, &entry{variant: v})
		}
	}
	if !matched {
		return nil
	}
	return es
}

// setting measures all servers of a shape in one setting.
func (b *bench) setting(name, shape string) (err error) {
	serverCPUs, loadCPUs, err := proc.CPUs(name)
	if err != nil {
		return err
	}
	es := b.chosen(shape)
	if len(es) == 0 {
		return nil
	}
	defer func() {
		for _, e := range es {
			if e.child == nil {
				continue
			}
			// A server in trouble has been reported, and may not end as it should.
			if endErr := e.child.end(); e.trouble == "" {
				err = errors.Join(err, endErr)
			}
		}
	}()
	for _, e := range es {
		if e.child, err = start(e.String(), serverCPUs); err != nil {
			return err
		}
		why, err := e.child.readPort()
		switch {
		case err != nil:
			e.trouble = err.Error()
		case why != "":
			e.trouble = "refused by the kernel: " + why
		}
	}
	d := &driver{bench: b, cpus: loadCPUs}
	defer func() { err = errors.Join(err, d.end()) }()
	for range b.rounds {
		if err := rounds.Round(len(es), b.stop, func(i int) error { return d.turn(es[i]) }); err != nil {
			return err
		}
	}
	for _, e := range es {
		if err := d.look(e, name); err != nil {
			return err
		}
	}
	return b.table(name, shape, es)
}

// driver has the load, which is started again after trouble.
type driver struct {
	*bench
	cpus []int
	load *child
}

// turn gives e a turn, unless it is in trouble. Only what concerns all servers is
// an error.
func (d *driver) turn(e *entry) error {
	res, err := d.job(e, d.dur/10)
	if err == nil && e.trouble == "" {
		e.results = append(e.results, res)
	}
	return err
}

func (d *driver) job(e *entry, warmup time.Duration) (res load.Result, err error) {
	if e.trouble != "" {
		return res, nil
	}
	if d.load == nil {
		if d.load, err = start("load", d.cpus); err != nil {
			return res, err
		}
	}
	res, err = turn(d.load, e.child, load.Job{Conns: d.conns, Warmup: warmup, Duration: d.dur})
	if err != nil {
		e.trouble = "failed: " + err.Error()
		fmt.Fprintf(os.Stderr, "modes: %v %s\n", e.variant, e.trouble)
		// The load may have been killed, which is no news.
		_ = d.end()
	}
	return res, nil
}

func (d *driver) end() error {
	if d.load == nil {
		return nil
	}
	p := d.load
	d.load = nil
	return p.end()
}
