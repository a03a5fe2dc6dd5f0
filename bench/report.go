package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/netring-go/netring/bench/chart"
)

// The files of a report, in its directory.
const (
	reportFile = "RESULTS.md"
	chartDir   = "charts"
)

// chartsOf are the charts of a setting.
var chartsOf = []struct {
	name, title string
	table       string // whose workloads it shows
	value       metric
}{
	{"throughput", "requests per second (more is better)", tableRate, loadResult.Rate},
	{"cpu", "CPU time per request (less is better)", tableRate, loadResult.CPUMicros},
	{"p50", "median latency (less is better)", tableRate, loadResult.P50Micros},
	{"p99", "99th percentile latency (less is better)", tableRate, loadResult.P99Micros},
	{"memory", "memory per idle connection (less is better)", tableMemory, bytesPer},
	{"fairness", "p99 of quiet connections beside a flood (less is better)", tableFairness, loadResult.P99Micros},
}

// settingTitles say what the settings are.
var settingTitles = map[string]string{
	"one-core": "one core: the server on CPU 0, the load generator on CPU 1",
	"shared":   "shared: both on all CPUs",
}

// writeReport writes RESULTS.md and the charts into dir.
func writeReport(dir string, res *results) error {
	if err := os.MkdirAll(filepath.Join(dir, chartDir), 0o777); err != nil {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Results\n\n%s\n", explanation(res.Base))
	writeRuns(&out, res.Runs)
	var errs []error
	for _, setting := range res.settings() {
		title, ok := settingTitles[setting]
		if !ok {
			title = setting
		}
		fmt.Fprintf(&out, "## Setting %s\n\n", title)
		ws := res.of(setting)
		for _, c := range chartsOf {
			series, groups := bars(ws, c.table, res.Base, c.value)
			if len(groups) == 0 {
				continue
			}
			name := setting + "-" + c.name + ".svg"
			errs = append(errs, chart.Write(filepath.Join(dir, chartDir, name),
				fmt.Sprintf("%s: %s, %s = 1", setting, c.title, res.Base), series, groups))
			fmt.Fprintf(&out, "![%s: ratios to %s](%s/%s)\n\n", c.title, res.Base, chartDir, name)
		}
		writeTables(&out, ws, res.Base)
	}
	errs = append(errs, os.WriteFile(filepath.Join(dir, reportFile), out.Bytes(), 0o666))
	return errors.Join(errs...)
}

// bars returns the ratios of a table's workloads, and whose they are.
func bars(ws []*workload, table, base string, value metric) (series []string, groups []chart.Group) {
	for _, w := range ws {
		if w.Table != table {
			continue
		}
		g := chart.Group{Name: w.Name}
		for _, impl := range w.impls(base) {
			if r, n := w.ratio(impl, base, value); n > 0 && impl != base {
				g.Bars = append(g.Bars, chart.Bar{Series: impl, Ratio: r})
				series = append(series, impl)
			}
		}
		if len(g.Bars) > 0 {
			groups = append(groups, g)
		}
	}
	return slices.Compact(sortImpls(series, base)), groups
}

// writeTables prints all tables of a setting.
func writeTables(out *bytes.Buffer, ws []*workload, base string) {
	rateTable.header(out)
	for _, w := range ws {
		if w.Table == tableRate {
			rateTable.rows(out, w, base)
		}
	}
	writeRest(out, ws, base)
}

// writeRuns says where the results come from.
func writeRuns(out *bytes.Buffer, runs []runInfo) {
	fmt.Fprintf(out, "\n## Runs\n\n")
	for _, r := range runs {
		fmt.Fprintf(out, "- %s, %s, %d CPUs, %s, %s: %d rounds of %v, in `bench/`:\n\n  ```sh\n  %s\n  ```\n",
			r.Date, r.CPU, r.CPUs, r.Kernel, r.Go, r.Rounds, r.Turn, r.Command)
	}
	fmt.Fprintln(out)
}

// explanation says how to read the report.
func explanation(base string) string {
	return fmt.Sprintf(`This file and the charts are written by %[2]cgo run . -report%[2]c, or %[2]c-render%[2]c from the JSON files of several runs.

A server is a process of its own; the load generator, another one, drives one at a time over loopback and compares what it
receives with what it should be. In each round every server gets one turn, in random order. A figure is the median over the
rounds. A ratio is the median of the rounds' ratios to **%[1]s** in the same round, so it need not be the ratio of
the figures; its own ratios are 1.

- **requests/s**: answers per second. Where the name of the workload says so, a MiB or a delivered copy of a message counts as one.
  More is better.
- **CPU µs/request**: CPU time of the server's process, user and system, per request. Less is better.
- **p50**, **p99**: median and 99th percentile of the time from sending a request, or a pipelined batch of them, to the end of its
  answer; of making the connection, too, where there is one for each request. For bulk workloads both are the mean time of a MiB.
  Less is better.
- The charts show the ratios, with a dashed line at 1, which is %[1]s. Bars end at 4; the numbers beside them do not.

The servers:

- **net** is package net; **uring** and **syscall** are netring with that engine; **+cw** has coalescing writes.
- **c-epoll** is a single-threaded epoll loop in C, **gnet**, **netpoll**, **nbio**, **go-uring** and **rio** are other Go libraries. Those that
  are a net.Listener, or have an HTTP server of their own, serve HTTP, too.

HTTPS and gRPC have their load from goroutines, which cost as much as a server, so that requests/s differ less there than
CPU times.

In the memory table, a server's resident memory is taken before and after the connections were made and had exchanged a
message each, after a garbage collection that gives free memory back. In the fairness table, quiet connections send 500 messages
a second each, first alone, then beside a connection that sends and receives as fast as it can.
`, base, '`')
}
