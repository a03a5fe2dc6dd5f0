package main

import (
	"fmt"
	"math"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/proc"
	"github.com/netring-go/netring/bench/internal/rounds"
)

func (b *bench) header() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	if !havePerf() {
		note := "perf is not on PATH: system calls are not counted"
		if b.flames != "" {
			note += " and there are no flame graphs"
		}
		if _, err := fmt.Fprintln(b.out, note+".\n"); err != nil {
			return err
		}
	}
	minute, err := proc.LoadAverage()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.out, "%d rounds of %v, %d connections, Linux %s, Go %s, %d CPUs, load average %s before (with much above 0, requests/s and latencies tell little). "+
		"Ratios are medians of the rounds' ratios.\n\n",
		b.rounds, b.dur, b.conns, unix.ByteSliceToString(u.Release[:]), strings.TrimPrefix(runtime.Version(), "go"), runtime.NumCPU(), minute)
	return err
}

// table prints the results of a shape in a setting.
func (b *bench) table(setting, shape string, es []*entry) error {
	var bases []*entry
	head, rule := "| mode | thread | requests/s | CPU µs/request | system calls/request | p50 µs | p99 µs |", "|---|---|---|---|---|---|---|"
	for _, v := range baseLines(shape) {
		for _, e := range es {
			if e.String() == v.String() {
				bases = append(bases, e)
				head += fmt.Sprintf(" requests/s ÷ %s | CPU ÷ %s |", v.mode, v.mode)
				rule += "---|---|"
			}
		}
	}
	var s strings.Builder
	fmt.Fprintf(&s, "## %s, %s\n\n%s\n%s\n", setting, shape, head, rule)
	for _, e := range es {
		thread := e.thread
		if e.needs {
			thread += " (needed)"
		}
		fmt.Fprintf(&s, "| %s | %s |", e.mode, thread)
		if e.trouble != "" {
			fmt.Fprintf(&s, " %s |%s\n", e.trouble, strings.Repeat(" – |", 4+2*len(bases)))
			continue
		}
		fmt.Fprintf(&s, " %.0f | %.2f | %s | %.0f | %.0f |", rounds.MedianOf(e.results, load.Result.Rate), rounds.MedianOf(e.results, load.Result.CPUMicros),
			known(e.calls), rounds.MedianOf(e.results, load.Result.P50Micros), rounds.MedianOf(e.results, load.Result.P99Micros))
		for _, base := range bases {
			fmt.Fprintf(&s, " %s | %s |", known(rounds.RatioOf(e.results, base.results, load.Result.Rate)), known(rounds.RatioOf(e.results, base.results, load.Result.CPUMicros)))
		}
		s.WriteString("\n")
	}
	s.WriteString("\n")
	_, err := fmt.Fprint(b.out, s.String())
	return err
}

// legend says what the modes are.
func (b *bench) legend() error {
	var s strings.Builder
	s.WriteString("## Modes\n\n| mode | what it is |\n|---|---|\n")
	seen := map[string]bool{}
	for _, v := range variants() {
		if key := v.mode + v.what; !seen[key] && b.match.MatchString(v.String()) {
			seen[key] = true
			fmt.Fprintf(&s, "| %s | %s |\n", v.mode, v.what)
		}
	}
	_, err := fmt.Fprint(b.out, s.String())
	return err
}

// known formats a figure that may not be known.
func known(f float64) string {
	if math.IsNaN(f) {
		return "–"
	}
	return fmt.Sprintf("%.2f", f)
}
