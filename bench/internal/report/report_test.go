package report

import (
	"encoding/xml"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// testResults returns results of two settings. In one, uring is twice as fast as net. In the other,
// uring is half as fast and syscall was left out.
func testResults() *Results {
	turn := func(n int64) Result {
		return Result{
			Result: load.Result{
				Requests: n, Elapsed: time.Second, P50: time.Millisecond, P99: 2 * time.Millisecond, CPU: time.Second,
				AloneP50: time.Millisecond, AloneP99: time.Millisecond, FloodBytes: 1 << 30,
			},
			Counters: Counters{Resident: 4096 * n},
		}
	}
	workload := func(setting, name, table string, ns ...[2]int64) *Workload {
		w := &Workload{Setting: setting, Name: name, Section: table, Table: table, Bases: []string{"net"}, Servers: []string{"net", "uring", "syscall"}}
		for _, n := range ns {
			w.Rounds = append(w.Rounds, map[string]Result{"net": turn(n[0]), "uring": turn(n[1])})
		}
		return w
	}
	slow := workload("shared", "HTTPS, 64 conns", TableRate, [2]int64{2000, 1000}, [2]int64{2000, 1000})
	slow.Rounds[0]["syscall"] = turn(1)
	slow.LeaveOut("syscall", "listen 127.0.0.1:1234: 100% no luck")
	return &Results{
		Runs: []Run{{Command: "go run . -rows 'a|b'", Machine: "a machine", Rounds: 2, Turn: time.Second}},
		Workloads: []*Workload{
			workload("one-core", "HTTP with timeouts, 64 conns", TableRate, [2]int64{1000, 1800}, [2]int64{1000, 2000}, [2]int64{1000, 2400}),
			workload("one-core", "HTTP with timeouts, 256 conns", TableRate, [2]int64{1000, 1000}),
			workload("one-core", "idle", TableMemory, [2]int64{100, 100}),
			slow,
			workload("shared", "quiet", TableFairness, [2]int64{100, 100}),
		},
	}
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	res := testResults()
	res.Workloads[1].LeaveOut("rio", "why")
	if err := res.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile(filepath.Join(dir, ResultsFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"- a machine: 2 rounds of 1s.", "go run . -rows 'a|b'", "## one-core", "## shared",
		"| HTTP with timeouts, 64 conns | net | 1000 | 1.00 | 1000.00 | 1.00 |\n",
		"| HTTP with timeouts, 64 conns | uring | 2000 | 2.00 (1.80–2.40) | 500.00 | 0.50 (0.42–0.56) |\n",
		"| HTTP with timeouts, 64 conns | uring | 1000 | 1.00 | 2000 | 1.00 |\n",
		"| uring | 1000 | 0.50 | 1000.00 | 2.00 |\n",
		"| uring | 4096 | 1.00 |\n", "| uring | 1000 | 1000 | 1000 | 2000 |\n", "| uring | 1024 | 2.00 | 1.00 | 1.00 |\n",
		"- syscall (HTTPS, 64 conns): listen 127.0.0.1:*: 100% no luck\n",
	} {
		if !strings.Contains(string(report), want) {
			t.Errorf("%q is not in the report:\n%s", want, report)
		}
	}
	if strings.Contains(string(report), "Short run") {
		t.Error("a run of two seconds is said to be short")
	}
	for line := range strings.Lines(string(report)) {
		if strings.Count(line, "|") > 7 {
			t.Errorf("more than six columns: %s", line)
		}
	}
	chart, err := os.ReadFile(filepath.Join(dir, ChartFile))
	if err = errors.Join(err, xml.Unmarshal(chart, &struct{ XMLName xml.Name }{})); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"netring on io_uring", ">2.00<", "256 connections", "of 3 rounds", "rio did not run"} {
		if !strings.Contains(string(chart), want) {
			t.Errorf("%s is not in the chart", want)
		}
	}
}

// TestPlain checks a table for a terminal.
func TestPlain(t *testing.T) {
	var out strings.Builder
	Printer{Out: &out}.Workloads(testResults().Workloads[:2])
	want := "one-core: rate: Throughput and CPU time:\n\n" +
		"workload                       server  requests/s             ÷ net  CPU µs/request             ÷ net\n" +
		"HTTP with timeouts, 64 conns   net           1000              1.00         1000.00              1.00\n" +
		"                               uring         2000  2.00 (1.80–2.40)          500.00  0.50 (0.42–0.56)\n" +
		"HTTP with timeouts, 256 conns  net           1000              1.00         1000.00              1.00\n" +
		"                               uring         1000              1.00         1000.00              1.00\n\n"
	if !strings.HasPrefix(out.String(), want) {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

// TestRead joins two files.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	more := testResults()
	more.Workloads[1].Name = "new"
	if err := errors.Join(testResults().Write(a), more.Write(b)); err != nil {
		t.Fatal(err)
	}
	res, err := Read(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Runs) != 2 || len(res.Workloads) != 6 || res.find("one-core", "new") == nil {
		t.Errorf("%d runs, %d workloads", len(res.Runs), len(res.Workloads))
	}
	w := res.find("one-core", "HTTP with timeouts, 64 conns")
	if s := w.Ratio("uring", "net", Rate); s.Rounds != 6 || s.Median != 2 || s.Max != 2.4 {
		t.Errorf("ratio %+v", s)
	}
	if s := w.Ratio("uring+seccomp", Unfiltered, Rate); s.Rounds != 0 {
		t.Errorf("a ratio without results: %+v", s)
	}
	if reason := res.find("shared", "HTTPS, 64 conns").LeftOut["syscall"]; reason == "" {
		t.Error("what was left out is forgotten")
	}
	more.Workloads[0].Bases = []string{"uring"}
	if err := more.Write(b); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(a, b); err == nil {
		t.Error("files with different bases were put together")
	}
}

func TestUnsteady(t *testing.T) {
	if rows, of := testResults().Unsteady(); of != 2 || len(rows) != 1 || rows[0] != "one-core, HTTP with timeouts, 64 conns, uring" {
		t.Errorf("%q of %d", rows, of) // 1.9, 2 and 2.2 are the quartiles of the first, 0.5 those of the other
	}
}

func TestSummarize(t *testing.T) {
	if s, want := Summarize([]float64{400, 100, 200}), (Summary{100, 150, 200, 300, 400, 3}); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	if s, want := Summarize([]float64{400, 100}), (Summary{100, 175, 250, 325, 400, 2}); s != want {
		t.Errorf("of two: %+v", s)
	}
	if s := Summarize(nil); !math.IsNaN(s.Median) || s.Rounds != 0 {
		t.Errorf("of nothing: %+v", s)
	}
}
