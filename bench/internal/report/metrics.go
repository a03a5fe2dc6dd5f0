package report

import "github.com/netring-go/netring/bench/internal/load"

// Metric is a figure of one turn.
type Metric struct {
	name string
	prec int                  // digits after the point
	of   func(Result) float64 // NaN: unknown
}

// The metrics.
var (
	Rate  = Metric{"requests/s", 0, func(r Result) float64 { return float64(r.Requests) / r.Elapsed.Seconds() }}
	CPU   = Metric{"CPU µs/request", 2, func(r Result) float64 { return micros(int64(r.CPU)) / float64(r.Requests) }}
	P50   = Metric{"p50 µs", 0, func(r Result) float64 { return micros(int64(r.P50)) }}
	P99   = Metric{"p99 µs", 0, func(r Result) float64 { return micros(int64(r.P99)) }}
	P999  = Metric{"p99.9 µs", 0, func(r Result) float64 { return micros(int64(r.P999)) }}
	Calls = Metric{"system calls/request", 2, func(r Result) float64 { return float64(r.Calls) / float64(r.CallsOf) }}
	Batch = Metric{"operations/batch", 1, func(r Result) float64 { return float64(r.Ops) / float64(r.Batches) }}

	// Busiest is the number of connections that the busiest listener accepted, over the mean.
	Busiest = Metric{"busiest listener ÷ mean", 2, func(r Result) float64 {
		var sum, most int64
		for _, n := range r.Accepted {
			sum, most = sum+n, max(most, n)
		}
		return float64(most) * float64(len(r.Accepted)) / float64(sum)
	}}

	// Waited is how long goroutines waited for locks, including the runtime's.
	Waited = Metric{"lock wait ns/request", 1, func(r Result) float64 { return float64(r.Waited.Nanoseconds()) / float64(r.Requests) }}

	Resident    = Metric{"resident bytes each", 0, func(r Result) float64 { return float64(r.Resident) / float64(r.Requests) }}
	Heap        = Metric{"heap bytes each", 0, func(r Result) float64 { return float64(r.Heap) / float64(r.Requests) }}
	Stack       = Metric{"stack bytes each", 0, func(r Result) float64 { return float64(r.Stack) / float64(r.Requests) }}
	Descriptors = Metric{"descriptors each", 2, func(r Result) float64 { return float64(r.Descriptors) / float64(r.Requests) }}
	Goroutines  = Metric{"goroutines each", 2, func(r Result) float64 { return float64(r.Goroutines) / float64(r.Requests) }}

	aloneP50  = Metric{"p50 µs alone", 0, func(r Result) float64 { return micros(int64(r.AloneP50)) }}
	aloneP99  = Metric{"p99 µs alone", 0, func(r Result) float64 { return micros(int64(r.AloneP99)) }}
	besideP50 = Metric{"p50 µs beside a flood", 0, P50.of}
	besideP99 = Metric{"p99 µs beside a flood", 0, P99.of}
	growth    = Metric{"p99 beside a flood ÷ alone", 2, func(r Result) float64 { return float64(r.P99) / float64(r.AloneP99) }}
	flood     = Metric{"flood MiB/s", 0, func(r Result) float64 { return float64(r.FloodBytes) / load.MiB / r.Elapsed.Seconds() }}
)

func micros(ns int64) float64 { return float64(ns) / 1e3 }

// The tables that a workload can be in.
const (
	TableRate     = "rate"
	TableLoops    = "loops"    // with operations per batch and waiting for locks
	TableAccepts  = "accepts"  // with connections by listener
	TableModes    = "modes"    // with system calls, and ratios to two bases
	TableMemory   = "memory"   // resident memory
	TableHeap     = "heap"     // memory of all kinds
	TableReactor  = "reactor"  // memory of all kinds, descriptors and goroutines
	TableFairness = "fairness" // of quiet connections
	TableOpen     = "open"     // of requests that come when they are due
)

// column is a figure of a table, or its ratio to a base.
type column struct {
	Metric
	base int // 0: no ratio; 1: the ratio to the first base
}

// part is a table's columns, without those of the workload and the server.
type part struct {
	title   string
	columns []column
}

var (
	throughput = part{"Throughput and CPU time", []column{{Rate, 0}, {Rate, 1}, {CPU, 0}, {CPU, 1}}}
	latency    = part{"Latency", []column{{P50, 0}, {P50, 1}, {P99, 0}, {P99, 1}}}
)

// parts are the tables of each kind, with at most six columns.
var parts = map[string][]part{
	TableRate:    {throughput, latency},
	TableLoops:   {throughput, {"Batches and locks", []column{{Batch, 0}, {Waited, 0}}}},
	TableAccepts: {throughput, {"Listeners", []column{{Busiest, 0}}}},
	TableModes: {
		{"Figures", []column{{Rate, 0}, {CPU, 0}, {Calls, 0}, {P50, 0}, {P99, 0}}},
		{"Ratios", []column{{Rate, 1}, {CPU, 1}, {Rate, 2}, {CPU, 2}}},
	},
	TableMemory:  {{"", []column{{Resident, 0}, {Resident, 1}}}},
	TableReactor: {{"", []column{{Heap, 0}, {Stack, 0}, {Resident, 0}, {Descriptors, 0}, {Goroutines, 0}}}},
	TableOpen: {
		latency,
		{"Tail latency and CPU time", []column{{P999, 0}, {P999, 1}, {CPU, 0}, {CPU, 1}}},
	},
	TableHeap: {{"", []column{{Heap, 0}, {Stack, 0}, {Resident, 0}, {Resident, 1}}}},
	TableFairness: {
		{"Latency", []column{{aloneP50, 0}, {aloneP99, 0}, {besideP50, 0}, {besideP99, 0}}},
		{"Ratios", []column{{flood, 0}, {growth, 0}, {growth, 1}, {besideP99, 1}}},
	},
}
