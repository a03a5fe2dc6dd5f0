package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
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
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	minute, _, _ := strings.Cut(string(load), " ")
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
		fmt.Fprintf(&s, " %.0f | %.2f | %s | %.0f | %.0f |", median(e.results, rate), median(e.results, cpuPer),
			known(e.calls), median(e.results, p50), median(e.results, p99))
		for _, base := range bases {
			fmt.Fprintf(&s, " %s | %s |", known(ratio(e.results, base.results, rate)), known(ratio(e.results, base.results, cpuPer)))
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

func rate(r loadResult) float64   { return float64(r.Requests) / r.Elapsed.Seconds() }
func cpuPer(r loadResult) float64 { return float64(r.CPU.Nanoseconds()) / 1e3 / float64(r.Requests) }
func p50(r loadResult) float64    { return float64(r.P50.Nanoseconds()) / 1e3 }
func p99(r loadResult) float64    { return float64(r.P99.Nanoseconds()) / 1e3 }

// median of f over the rounds.
func median(rs []loadResult, f func(loadResult) float64) float64 {
	vs := make([]float64, len(rs))
	for i, r := range rs {
		vs[i] = f(r)
	}
	return middle(vs)
}

// ratio is the median of the rounds' ratios of f to the base's. It is not known if
// the base has not been through all of them.
func ratio(rs, base []loadResult, f func(loadResult) float64) float64 {
	if len(rs) != len(base) {
		return math.NaN()
	}
	vs := make([]float64, len(rs))
	for i := range rs {
		vs[i] = f(rs[i]) / f(base[i])
	}
	return middle(vs)
}

func middle(vs []float64) float64 {
	n := len(vs)
	if n == 0 {
		return math.NaN()
	}
	slices.Sort(vs)
	if n%2 == 1 {
		return vs[n/2]
	}
	return (vs[n/2-1] + vs[n/2]) / 2
}
