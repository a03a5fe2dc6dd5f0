package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// testResults returns results of two settings: one in which uring is twice as fast
// as net, and one in which it is half as fast and syscall was left out.
func testResults() *results {
	turn := func(n int64) loadResult {
		return loadResult{
			Result:   load.Result{Requests: n, Elapsed: time.Second, P50: time.Millisecond, P99: 2 * time.Millisecond, CPU: time.Second},
			AloneP50: time.Millisecond, AloneP99: time.Millisecond, FloodBytes: 1 << 30, RSSBefore: 1000, RSSAfter: 1000 + 4096*n,
		}
	}
	round := func(net, uring int64) []map[string]loadResult {
		return []map[string]loadResult{{"net": turn(net), "uring": turn(uring)}}
	}
	slow := &workload{Setting: "shared", Name: "echo", Table: tableRate, Unit: "request", Rounds: round(2000, 1000)}
	slow.leaveOut("syscall", "listen 127.0.0.1:1234: no luck")
	return &results{
		Base: "net",
		Runs: []runInfo{{Command: commandLine([]string{"-rows", "a|b"}), Date: "2001-02-03", CPU: "a CPU", CPUs: 2, Kernel: "a kernel", Go: "a Go", Rounds: 1, Turn: time.Second}},
		Workloads: []*workload{
			{Setting: "one-core", Name: "echo", Table: tableRate, Unit: "request", Rounds: round(1000, 2000)},
			{Setting: "one-core", Name: "idle", Table: tableMemory, Unit: "connection", Rounds: round(100, 100)},
			slow,
			{Setting: "shared", Name: "quiet", Table: tableFairness, Unit: "request", Rounds: round(100, 100)},
		},
	}
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	if err := writeReport(dir, testResults()); err != nil {
		t.Fatal(err)
	}
	report, err := os.ReadFile(filepath.Join(dir, reportFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2001-02-03", "a CPU", "a kernel", "a Go", "go run . -rows 'a|b'",
		"## Setting one core", "## Setting shared",
		"| echo | net | 1000 | 1000.00 | 1000 | 2000 | 1.00 | 1.00 | 1.00 | 1.00 |",
		"| echo | uring | 2000 | 500.00 | 1000 | 2000 | 2.00 | 0.50 | 1.00 | 1.00 |",
		"| echo | uring | 1000 | 1000.00 | 1000 | 2000 | 0.50 | 2.00 | 1.00 | 1.00 |",
		"| idle | uring, in Read with 4 KiB | 4096 | 1.00 |",
		"| quiet | uring | 1000 | 1000 | 1000 | 2000 | 2.00 | 1024 | 1.00 | 1.00 |",
		"- syscall (echo): listen 127.0.0.1:*: no luck",
	} {
		if !strings.Contains(string(report), want) {
			t.Errorf("%s is not in the report:\n%s", want, report)
		}
	}
	charts, err := filepath.Glob(filepath.Join(dir, chartDir, "*.svg"))
	if err != nil || len(charts) != 2*4+2 {
		t.Errorf("charts %q, %v", charts, err)
	}
	for _, c := range charts {
		name := filepath.ToSlash(filepath.Join(chartDir, filepath.Base(c)))
		if !strings.Contains(string(report), "]("+name+")") {
			t.Errorf("%s is not in the report", name)
		}
		checkSVG(t, c, "uring", "net = 1")
	}
}

// checkSVG looks for words in a chart that must be well-formed.
func checkSVG(t *testing.T, file string, words ...string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var text strings.Builder
	for dec := xml.NewDecoder(f); ; {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if chars, ok := tok.(xml.CharData); ok {
			text.Write(chars)
		}
	}
	for _, w := range words {
		if !strings.Contains(text.String(), w) {
			t.Errorf("%s is not in %s", w, file)
		}
	}
}

// TestMerge puts two files together.
func TestMerge(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json")
	more := testResults()
	more.Workloads = append(more.Workloads[:1], &workload{Setting: "shared", Name: "new", Table: tableRate})
	if err := errors.Join(writeResults(a, testResults()), writeResults(b, more)); err != nil {
		t.Fatal(err)
	}
	res, err := readResults([]string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if res.Base != "net" || len(res.Runs) != 2 || len(res.Workloads) != 5 || len(res.of("shared")) != 3 {
		t.Errorf("base %s, %d runs, %d workloads, %d shared", res.Base, len(res.Runs), len(res.Workloads), len(res.of("shared")))
	}
	if w := res.find("one-core", "echo"); len(w.Rounds) != 2 || w.Rounds[1]["uring"] != w.Rounds[0]["uring"] {
		t.Errorf("rounds %+v", w.Rounds)
	}
	if reason := res.find("shared", "echo").LeftOut["syscall"]; reason == "" {
		t.Error("what was left out is forgotten")
	}
	more.Base = "uring"
	if err := writeResults(b, more); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults([]string{a, b}); err == nil {
		t.Error("files with different bases were put together")
	}
}
