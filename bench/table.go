package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// column is a figure of a table.
type column struct {
	name  string
	value metric
	prec  int  // digits after the point
	ratio bool // to the base
}

// table is a Markdown table with a line for each implementation of a workload. Its
// write errors are not looked at: tables go to a buffer, or to standard output,
// which is where errors would be reported.
type table struct {
	columns []column
	server  func(impl string) string // what to call it, nil: its name
}

var rateTable = table{columns: []column{
	{name: "requests/s", value: loadResult.Rate},
	{name: "CPU µs/request", value: loadResult.CPUMicros, prec: 2},
	{name: "p50 µs", value: loadResult.P50Micros},
	{name: "p99 µs", value: loadResult.P99Micros},
	{name: "requests/s ratio", value: loadResult.Rate, prec: 2, ratio: true},
	{name: "CPU ratio", value: loadResult.CPUMicros, prec: 2, ratio: true},
	{name: "p50 ratio", value: loadResult.P50Micros, prec: 2, ratio: true},
	{name: "p99 ratio", value: loadResult.P99Micros, prec: 2, ratio: true},
}}

var memoryTable = table{
	columns: []column{
		{name: "bytes/connection", value: bytesPer},
		{name: "ratio", value: bytesPer, prec: 2, ratio: true},
	},
	server: func(impl string) string {
		if name, ok := strings.CutSuffix(impl, "+lease"); ok {
			return name + ", in ReadLease"
		}
		return impl + ", in Read with 4 KiB"
	},
}

var fairnessTable = table{columns: []column{
	{name: "p50 µs alone", value: aloneP50},
	{name: "p99 µs alone", value: aloneP99},
	{name: "p50 µs beside a flood", value: loadResult.P50Micros},
	{name: "p99 µs beside a flood", value: loadResult.P99Micros},
	{name: "p99 beside/alone", value: flooded, prec: 2},
	{name: "flood MiB/s", value: floodRate},
	{name: "p99 beside a flood, ratio", value: loadResult.P99Micros, prec: 2, ratio: true},
	{name: "beside/alone, ratio", value: flooded, prec: 2, ratio: true},
}}

func (t table) header(out io.Writer) {
	names := []string{"workload", "server"}
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
}

// rows prints the lines of w.
func (t table) rows(out io.Writer, w *workload, base string) {
	for _, impl := range w.impls(base) {
		server := impl
		if t.server != nil {
			server = t.server(impl)
		}
		fmt.Fprintf(out, "| %s | %s |", w.Name, server)
		for _, c := range t.columns {
			if !c.ratio {
				fmt.Fprintf(out, " %.*f |", c.prec, w.median(impl, c.value))
			} else if v, n := w.ratio(impl, base, c.value); n > 0 {
				fmt.Fprintf(out, " %.*f |", c.prec, v)
			} else {
				fmt.Fprint(out, " – |")
			}
		}
		fmt.Fprintln(out)
	}
}

// writeRest prints what is not in the table of rates: the small tables, and what
// was left out.
func writeRest(out io.Writer, ws []*workload, base string) {
	small := []struct {
		kind, title string
		table       table
	}{
		{tableMemory, "Memory of the server for each idle connection", memoryTable},
		{tableFairness, "Quiet connections beside one that floods", fairnessTable},
	}
	for _, s := range small {
		printed := false
		for _, w := range ws {
			if w.Table != s.kind || len(w.impls(base)) == 0 {
				continue
			}
			if !printed {
				fmt.Fprintf(out, "\n### %s\n\n", s.title)
				s.table.header(out)
				printed = true
			}
			s.table.rows(out, w, base)
		}
	}
	writeLeftOut(out, ws)
	fmt.Fprintln(out)
}

// maxNamed is how many workloads are named that something was left out of.
const maxNamed = 6

// writeLeftOut says what has no result, once for each reason.
func writeLeftOut(out io.Writer, ws []*workload) {
	type key struct{ impl, reason string }
	rows := map[key][]string{}
	var keys []key
	for _, w := range ws {
		for _, impl := range slices.Sorted(maps.Keys(w.LeftOut)) {
			k := key{impl, w.LeftOut[impl]}
			if rows[k] == nil {
				keys = append(keys, k)
			}
			rows[k] = append(rows[k], w.Name)
		}
	}
	if len(keys) == 0 {
		return
	}
	fmt.Fprintf(out, "\nLeft out:\n\n")
	for _, k := range keys {
		names := strings.Join(rows[k], "; ")
		if len(rows[k]) > maxNamed {
			names = fmt.Sprintf("%d workloads", len(rows[k]))
		}
		fmt.Fprintf(out, "- %s (%s): %s\n", k.impl, names, k.reason)
	}
}
