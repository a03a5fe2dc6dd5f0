package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// recResults are results with one failure of each kind.
func recResults() *suiteResult {
	return &suiteResult{Module: recSuite.module, Columns: map[string]*result{
		"net": {Tests: 5, Skipped: []string{"TestSkip"}, Failed: []outcome{{"TestBoth", 4, 4}},
			Unsteady: []outcome{{"TestSlow", 4, 2}}, Go: "go1.26.8"},
		"ring": {Tests: 4, Skipped: []string{"TestOnlySkipped", "TestSkip"},
			Failed:   []outcome{{"TestBoth", 4, 4}, {"TestKnown", 4, 4}, {"TestNew", 4, 4}, {"TestSlow", 4, 4}},
			Unsteady: []outcome{{"TestSometimes", 4, 1}}},
		"syscall": {Tests: 5, Skipped: []string{"TestSkip"}, Failed: []outcome{{"TestBoth", 4, 4}, {"TestKnown", 4, 4}},
			Served: &served{1, 2}},
	}}
}

var recKnown = []known{
	{suite: "rec", test: "TestKnown", columns: dial, why: "asserts a type."},
	{suite: "rec", test: "TestOnlySkipped", columns: []string{"ring"}, why: "looks for a type and skips."},
	{suite: "rec", test: "TestNew", columns: []string{"syscall"}, why: "is for another column."},
	{suite: "other", test: "TestNew", columns: dial, why: "is another suite's."},
}

func TestCompare(t *testing.T) {
	v := &verdict{}
	v.compare(recSuite, recResults(), recKnown)
	want := &verdict{
		Differences: []difference{
			{"rec", "TestKnown", dial, "asserts a type."},
			{"rec", "TestNew", []string{"ring"}, ""},
			{"rec", "TestOnlySkipped", []string{"ring"}, "looks for a type and skips."},
		},
		AlsoNet: []difference{{"rec", "TestBoth", []string{"net", "ring", "syscall"}, ""}},
		Unsteady: []flaky{
			{"rec", "TestSlow", []outcomeIn{{"net", outcome{"TestSlow", 4, 2}}, {"ring", outcome{"TestSlow", 4, 4}}}},
			{"rec", "TestSometimes", []outcomeIn{{"ring", outcome{"TestSometimes", 4, 1}}}},
		},
		Stale: []known{{suite: "rec", test: "TestNew", columns: []string{"syscall"}, why: "is for another column."}},
	}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("the verdict is\n%+v, want\n%+v", v, want)
	}
	lines, ok := v.report()
	if ok || len(lines) != 2 || lines[0] != "rec: TestNew fails in ring and not on package net" || !strings.Contains(lines[1], "no longer fails in syscall") {
		t.Errorf("the report is %v, %q", ok, lines)
	}
}

// All failures known: the exit status is 0.
func TestReportKnown(t *testing.T) {
	r, v := recResults(), &verdict{}
	delete(r.Columns, "ring")
	v.compare(recSuite, r, recKnown[:1])
	if lines, ok := v.report(); !ok || lines != nil {
		t.Errorf("the report is %v, %q", ok, lines)
	}
}

func TestCompareProblems(t *testing.T) {
	r := recResults()
	r.Columns["ring"].Tests--
	r.Columns["syscall"].Served = &served{}
	v := &verdict{}
	v.compare(recSuite, r, nil)
	want := []string{
		"rec has run 5 tests in column ring and 6 on package net",
		"rec has used no connection of netring in column syscall",
	}
	if !slices.Equal(v.Problems, want) {
		t.Errorf("the problems are %q, want %q", v.Problems, want)
	}
	delete(r.Columns, "net")
	v = &verdict{}
	v.compare(recSuite, r, nil)
	if _, ok := v.report(); ok || len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "no results of package net") {
		t.Errorf("without package net, the problems are %q", v.Problems)
	}
}

func TestStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.json")
	st, err := readStore(file)
	if err != nil {
		t.Fatal(err)
	}
	other := suite{name: "other"}
	st.put(other, map[string]*result{"net": {Tests: 7}})
	st.put(recSuite, recResults().Columns)
	// Another run in one column leaves the others, and what netring has served.
	st.put(recSuite, map[string]*result{"syscall": {Tests: 6}})
	if err := st.write(file); err != nil {
		t.Fatal(err)
	}
	if st, err = readStore(file); err != nil {
		t.Fatal(err)
	}
	want := recResults().Columns
	want["syscall"] = &result{Tests: 6, Served: &served{1, 2}}
	if !reflect.DeepEqual(st.Suites["rec"].Columns, want) || st.Suites["other"].Columns["net"].Tests != 7 {
		t.Errorf("the results are %+v", st.Suites)
	}
	newer := recSuite
	newer.module = "example.org/rec@v1.1.0"
	st.put(newer, map[string]*result{"net": {Tests: 8}})
	if r := st.Suites["rec"]; len(r.Columns) != 1 || r.Module != newer.module {
		t.Errorf("the results of two versions stand together: %+v", r)
	}
	if err := os.WriteFile(file, []byte(`{"suits": {}}`), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := readStore(file); err == nil || !strings.Contains(err.Error(), "suits") {
		t.Errorf("the error of an unknown field is %v", err)
	}
}

// The tables name suites, columns and tests in the right form.
func TestTables(t *testing.T) {
	names := map[string]bool{}
	for _, s := range suites {
		if names[s.name] || len(s.packages) == 0 || s.timeout == 0 || s.module != "" && !strings.Contains(s.module, "@v") {
			t.Errorf("the suite %q is incomplete, or there twice", s.name)
		}
		names[s.name] = true
		for _, l := range s.left {
			if !strings.HasPrefix(l.test, "Test") || !strings.HasSuffix(l.why, ".") {
				t.Errorf("%s leaves out %q because %q; give a test and a sentence", s.name, l.test, l.why)
			}
		}
	}
	entries := map[string]bool{}
	for _, k := range knownDifferences {
		if !names[k.suite] || !strings.HasSuffix(k.why, ".") {
			t.Errorf("the known difference %+v names no suite, or gives no sentence", k)
		}
		for _, c := range k.columns {
			if title(c) == c && c != "ring" && c != "syscall" || c == columnNet {
				t.Errorf("the known difference %+v names the column %q", k, c)
			}
			key := k.suite + " " + k.test + " " + c
			if entries[key] {
				t.Errorf("two known differences are for %s", key)
			}
			entries[key] = true
		}
	}
}
