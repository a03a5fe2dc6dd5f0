package main

import (
	"maps"
	"regexp"
	"slices"

	"github.com/netring-go/netring/bench/internal/rounds"
)

// The tables of a report.
const (
	tableRate     = "rate"
	tableMemory   = "memory"
	tableFairness = "fairness"
)

// workload is what was measured of one row in one setting.
type workload struct {
	Setting string
	Name    string
	Table   string
	Unit    string                  // what a request is
	Rounds  []map[string]loadResult // by implementation
	LeftOut map[string]string       `json:",omitempty"` // why an implementation has no result
}

// aPort matches an address; its port differs each time.
var aPort = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// leaveOut removes an implementation's results, for the reason given.
func (w *workload) leaveOut(impl, reason string) {
	for _, round := range w.Rounds {
		delete(round, impl)
	}
	if w.LeftOut == nil {
		w.LeftOut = map[string]string{}
	}
	w.LeftOut[impl] = aPort.ReplaceAllString(reason, "127.0.0.1:*")
}

// impls returns the implementations that have results, in the order that they are
// shown in: the base first, then as in implOrder, then others by name.
func (w *workload) impls(base string) []string {
	seen := map[string]bool{}
	for _, round := range w.Rounds {
		for impl := range round {
			seen[impl] = true
		}
	}
	return sortImpls(slices.Collect(maps.Keys(seen)), base)
}

// implOrder is the order that implementations are shown in.
var implOrder = []string{
	"net", "uring", "syscall", "uring+cw", "syscall+cw", "uring+lease", "syscall+lease",
	"net+seccomp", "uring+seccomp", "syscall+seccomp",
	"c-epoll", "gnet", "netpoll", "nbio", "go-uring", "rio",
}

func sortImpls(impls []string, base string) []string {
	rank := func(impl string) int {
		if impl == base {
			return -1
		}
		if i := slices.Index(implOrder, impl); i >= 0 {
			return i
		}
		return len(implOrder)
	}
	slices.Sort(impls)
	slices.SortStableFunc(impls, func(a, b string) int { return rank(a) - rank(b) })
	return impls
}

// metric is a figure of one turn.
type metric func(loadResult) float64

func aloneP50(r loadResult) float64 { return float64(r.AloneP50.Nanoseconds()) / 1e3 }
func aloneP99(r loadResult) float64 { return float64(r.AloneP99.Nanoseconds()) / 1e3 }
func flooded(r loadResult) float64  { return r.P99Micros() / aloneP99(r) }
func floodRate(r loadResult) float64 {
	return float64(r.FloodBytes) / bulkUnit / r.Elapsed.Seconds()
}
func bytesPer(r loadResult) float64 { return float64(r.RSSAfter-r.RSSBefore) / float64(r.Requests) }

// median of f over the rounds in which impl has a result.
func (w *workload) median(impl string, f metric) float64 {
	var rs []loadResult
	for _, round := range w.Rounds {
		if r, ok := round[impl]; ok {
			rs = append(rs, r)
		}
	}
	return rounds.MedianOf(rs, f)
}

// ratio is the median of the ratios of impl's f to base's, over the rounds in
// which both have a result, and the number of these rounds.
func (w *workload) ratio(impl, base string, f metric) (float64, int) {
	var rs, bases []loadResult
	for _, round := range w.Rounds {
		r, ok := round[impl]
		b, okBase := round[base]
		if ok && okBase {
			rs, bases = append(rs, r), append(bases, b)
		}
	}
	return rounds.RatioOf(rs, bases, f), len(rs)
}
