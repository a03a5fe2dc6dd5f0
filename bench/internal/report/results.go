// Package report holds the results of a benchmark and prints them: as tables (plain or in
// Markdown), in JSON and as a chart.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// Results is the results of one or several runs.
type Results struct {
	Runs      []Run
	Workloads []*Workload
}

// Run says how results were measured.
type Run struct {
	Command string
	Machine string // and the date
	Rounds  int
	Turn    time.Duration
}

// Workload is the results of one row in one setting.
type Workload struct {
	Setting string
	Section string // its heading in the report; "": none
	Name    string
	Table   string              // one of the Table constants
	Bases   []string            // of the ratios
	Servers []string            // in the order of the tables
	Rounds  []map[string]Result // by server
	LeftOut map[string]string   `json:",omitempty"` // why a server has no result
}

// Result is the result of one server's turn.
type Result struct {
	load.Result
	Counters // their growth

	// System calls and requests of an additional turn; at most the last round has one.
	Calls, CallsOf int64 `json:",omitempty"`
}

// Counters is what a server reports about itself.
type Counters struct {
	Batches, Ops uint64        `json:",omitempty"` // of netring
	Accepted     []int64       `json:",omitempty"` // by listener
	Waited       time.Duration `json:",omitempty"` // for locks, by all goroutines

	// After a garbage collection, in bytes and in numbers.
	Resident, Heap, Stack, Descriptors, Goroutines int64 `json:",omitempty"`
}

// Sub returns the growth of the counters since before.
func (c Counters) Sub(before Counters) Counters {
	for i := range c.Accepted {
		c.Accepted[i] -= before.Accepted[i]
	}
	return Counters{
		c.Batches - before.Batches, c.Ops - before.Ops, c.Accepted, c.Waited - before.Waited,
		c.Resident - before.Resident, c.Heap - before.Heap, c.Stack - before.Stack,
		c.Descriptors - before.Descriptors, c.Goroutines - before.Goroutines,
	}
}

// aPort matches an address, whose port differs in each round.
var aPort = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// LeaveOut removes a server's results and notes the reason.
func (w *Workload) LeaveOut(server, reason string) {
	for _, round := range w.Rounds {
		delete(round, server)
	}
	if w.LeftOut == nil {
		w.LeftOut = map[string]string{}
	}
	w.LeftOut[server] = aPort.ReplaceAllString(reason, "127.0.0.1:*")
}

// measured returns the servers that have results.
func (w *Workload) measured() (servers []string) {
	for _, s := range w.Servers {
		if slices.ContainsFunc(w.Rounds, func(round map[string]Result) bool { _, ok := round[s]; return ok }) {
			servers = append(servers, s)
		}
	}
	return servers
}

// Unfiltered is the base of ratios to the same server without "+seccomp".
const Unfiltered = "unfiltered"

// Value returns the median of m over the rounds with a result of server; NaN if there is none.
func (w *Workload) Value(server string, m Metric) float64 {
	var vs []float64
	for _, round := range w.Rounds {
		if r, ok := round[server]; ok && !math.IsNaN(m.of(r)) {
			vs = append(vs, m.of(r))
		}
	}
	return Summarize(vs).Median
}

// Ratio returns the summary of the ratios of server's m to base's in the same round.
func (w *Workload) Ratio(server, base string, m Metric) Summary {
	if base == Unfiltered {
		base = strings.TrimSuffix(server, "+seccomp")
	}
	var vs []float64
	for _, round := range w.Rounds {
		r, ok := round[server]
		b, okBase := round[base]
		if v := m.of(r) / m.of(b); ok && okBase && !math.IsNaN(v) {
			vs = append(vs, v)
		}
	}
	return Summarize(vs)
}

// Summary describes a figure's values over the rounds.
type Summary struct {
	Min, Q1, Median, Q3, Max float64 // NaN without values
	Rounds                   int
}

// Summarize returns the summary of vs, which it sorts. It interpolates quartiles.
func Summarize(vs []float64) Summary {
	slices.Sort(vs)
	at := func(q float64) float64 {
		if len(vs) == 0 {
			return math.NaN()
		}
		i, part := math.Modf(q * float64(len(vs)-1))
		return vs[int(i)] + part*(vs[min(int(i)+1, len(vs)-1)]-vs[int(i)])
	}
	return Summary{Min: at(0), Q1: at(0.25), Median: at(0.5), Q3: at(0.75), Max: at(1), Rounds: len(vs)}
}

// Write writes all rounds to the file in JSON, with a line for each workload.
func (r *Results) Write(file string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	data = bytes.ReplaceAll(data, []byte(`{"Setting"`), []byte("\n"+`{"Setting"`))
	return os.WriteFile(file, append(data, '\n'), 0o666)
}

// Read reads files that Write wrote. It joins the rounds of a workload that is in several files.
func Read(files ...string) (*Results, error) {
	all := &Results{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var more Results
		if err := json.Unmarshal(data, &more); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all.Runs = append(all.Runs, more.Runs...)
		for _, w := range more.Workloads {
			if err := all.add(w); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return all, nil
}

// add adds the rounds of a workload.
func (r *Results) add(w *Workload) error {
	same := r.find(w.Setting, w.Name)
	if same == nil {
		r.Workloads = append(r.Workloads, w)
		return nil
	}
	if !slices.Equal(same.Bases, w.Bases) {
		return fmt.Errorf("the ratios of %s are to %q, in an earlier file to %q; use files of runs whose -impls begin with the same server", w.Name, w.Bases, same.Bases)
	}
	same.Rounds = append(same.Rounds, w.Rounds...)
	for _, s := range w.Servers {
		if !slices.Contains(same.Servers, s) {
			same.Servers = append(same.Servers, s)
		}
	}
	for server, reason := range w.LeftOut {
		same.LeaveOut(server, reason)
	}
	return nil
}

func (r *Results) find(setting, name string) *Workload {
	for _, w := range r.Workloads {
		if w.Setting == setting && w.Name == name {
			return w
		}
	}
	return nil
}

// settings returns the settings in the order of measurement.
func (r *Results) settings() (names []string) {
	for _, w := range r.Workloads {
		if !slices.Contains(names, w.Setting) {
			names = append(names, w.Setting)
		}
	}
	return names
}
