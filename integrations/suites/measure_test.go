package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeTester answers each job with the next output for its column, or else with the last one.
type fakeTester struct {
	outputs map[string][][]byte // by column, or by column and "alone"
	jobs    []string
	counts  []served
	err     error
}

func (f *fakeTester) test(_ context.Context, j job) ([]byte, error) {
	key := j.column.name
	if j.only != nil {
		key += " alone"
	}
	f.jobs = append(f.jobs, fmt.Sprintf("%s run=%s skip=%s", key, pattern(j.only), pattern(j.skip)))
	if f.err != nil {
		return nil, f.err
	}
	outputs := f.outputs[key]
	if len(outputs) == 0 {
		return nil, fmt.Errorf("unexpected job: %s", key)
	}
	if len(outputs) > 1 {
		f.outputs[key] = outputs[1:]
	}
	return outputs[0], nil
}

func (f *fakeTester) served() (served, error) {
	s := f.counts[0]
	f.counts = f.counts[1:]
	return s, nil
}

var (
	recSuite = suite{name: "rec", module: "example.org/rec@v1.0.0", packages: []string{"."},
		left: []left{{"TestRoot", "needs root."}}, timeout: time.Minute}
	netColumn, ringColumn = columns[0], columns[1]
)

// events returns the output of go test for tests with the given results, as in "A pass".
func outputOf(results ...string) []byte {
	var b strings.Builder
	ended := passed
	for _, r := range results {
		name, s, _ := strings.Cut(r, " ")
		fmt.Fprintf(&b, "{\"Action\":\"run\",\"Package\":%q,\"Test\":%q}\n", recPackage, name)
		fmt.Fprintf(&b, "{\"Action\":%q,\"Package\":%q,\"Test\":%q}\n", s, recPackage, name)
		if status(s) == failed {
			ended = failed
		}
	}
	if ended == failed {
		fmt.Fprintf(&b, "{\"Action\":\"output\",\"Package\":%q,\"Output\":\"FAIL\\n\"}\n", recPackage)
	}
	fmt.Fprintf(&b, "{\"Action\":%q,\"Package\":%q}\n", ended, recPackage)
	return []byte(b.String())
}

func quiet(string, ...any) {}

func TestRunSuite(t *testing.T) {
	f := &fakeTester{outputs: map[string][][]byte{
		"net":        {outputOf("TestA pass", "TestB pass", "TestC skip")},
		"net alone":  {outputOf("TestA pass")},
		"ring":       {outputOf("TestA fail", "TestB fail", "TestC skip")},
		"ring alone": {outputOf("TestA fail"), outputOf("TestA fail"), outputOf("TestA fail"), outputOf("TestB pass"), outputOf("TestB fail"), outputOf("TestB pass")},
	}}
	got, err := runSuite(context.Background(), f, recSuite, []column{netColumn, ringColumn}, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]*result{
		"net": {Tests: 2, Skipped: []string{"TestC"}},
		"ring": {Tests: 2, Skipped: []string{"TestC"}, Failed: []outcome{{"TestA", 4, 4}},
			Unsteady: []outcome{{"TestB", 4, 2}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the results are %+v and %+v, want %+v and %+v", *got["net"], *got["ring"], *want["net"], *want["ring"])
	}
	all := slices.Repeat([]string{"net alone run=^TestA$ skip="}, reruns)
	all = append(all, slices.Repeat([]string{"ring alone run=^TestA$ skip="}, reruns)...)
	all = append([]string{"net run= skip=^TestRoot$", "ring run= skip=^TestRoot$"}, all...)
	if len(f.jobs) != 2+4*reruns || !slices.Equal(f.jobs[:len(all)], all) {
		t.Errorf("the jobs are %q, want first %q", f.jobs, all)
	}
}

// A test that ends the process is left out of a second run, so that the others count.
func TestMeasureAborted(t *testing.T) {
	f := &fakeTester{outputs: map[string][][]byte{"ring": {recorded(t, "panic"), outputOf("TestFail pass", "TestParallel pass")}}}
	n, err := measure(context.Background(), f, recSuite, ringColumn, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"ring run= skip=^TestRoot$", "ring run= skip=^TestRoot$|^TestPanic$"}; !slices.Equal(f.jobs, want) {
		t.Errorf("the jobs are %q, want %q", f.jobs, want)
	}
	want := map[test]status{
		{recPackage, "TestFail"}: failed, {recPackage, "TestPanic"}: failed, {recPackage, "TestParallel"}: passed,
	}
	if !reflect.DeepEqual(n.tests, want) {
		t.Errorf("the results are %v, want %v", n.tests, want)
	}
}

// A test that is known to end the process runs apart, and counts.
func TestMeasureApart(t *testing.T) {
	table := []known{
		{suite: "rec", test: "sub.TestPanic", columns: []string{"ring"}, ends: true},
		{suite: "rec", test: "TestFail", columns: []string{"ring"}},
		{suite: "rec", test: "TestOther", columns: []string{"syscall"}, ends: true},
	}
	f := &fakeTester{outputs: map[string][][]byte{
		"ring":       {outputOf("TestFail pass")},
		"ring alone": {outputOf("TestPanic fail")},
	}}
	got, err := runSuite(context.Background(), f, recSuite, []column{ringColumn}, table, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if want := (&result{Tests: 2, Failed: []outcome{{"TestPanic", 4, 4}}}); !reflect.DeepEqual(got["ring"], want) {
		t.Errorf("the result is %+v, want %+v", got["ring"], want)
	}
	if want := []string{"ring alone run=^TestPanic$ skip=", "ring run= skip=^TestRoot$|^TestPanic$"}; !slices.Equal(f.jobs[:2], want) {
		t.Errorf("the jobs are %q, want first %q", f.jobs, want)
	}
	f.outputs["ring alone"] = [][]byte{outputOf()}
	if _, err := runSuite(context.Background(), f, recSuite, []column{ringColumn}, table, quiet); err == nil || !strings.Contains(err.Error(), "no test TestPanic") {
		t.Errorf("the error of a test that does not exist is %v", err)
	}
}

// A package that fails without a failed test fails as TestMain, which is no test that counts.
func TestMeasureOutside(t *testing.T) {
	f := &fakeTester{outputs: map[string][][]byte{"net": {recorded(t, "outside"), outputOf("TestOK pass"), recorded(t, "outside"), outputOf("TestOK pass")}}}
	got, err := runSuite(context.Background(), f, recSuite, []column{netColumn}, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if want := (&result{Tests: 1, Unsteady: []outcome{{wholePackage, 4, 2}}}); !reflect.DeepEqual(got["net"], want) {
		t.Errorf("the result is %+v, want %+v", got["net"], want)
	}
	if f.jobs[1] != "net run= skip=^TestRoot$" {
		t.Errorf("the package runs again as %q", f.jobs[1])
	}
}

func TestMeasureErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		f    *fakeTester
		want string
	}{
		{&fakeTester{err: broken}, "broken"},
		{&fakeTester{outputs: map[string][][]byte{"net": {recorded(t, "build")}}}, "building the tests failed: " + recPackage},
		{&fakeTester{outputs: map[string][][]byte{"net": {recorded(t, "panic")}}}, "tests still end the process"},
		{&fakeTester{outputs: map[string][][]byte{"net": {nil}}}, "no tests have run"},
	} {
		if _, err := measure(context.Background(), tt.f, recSuite, netColumn, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("the error is %v, want one with %q", err, tt.want)
		}
	}
}

func TestCountServed(t *testing.T) {
	f := &fakeTester{outputs: map[string][][]byte{"ring": {outputOf("TestA fail")}}, counts: []served{{9, 9}, {1, 2}}}
	got, err := countServed(context.Background(), f, recSuite, ringColumn)
	if err != nil || *got != (served{1, 2}) {
		t.Errorf("countServed returns %+v, %v", got, err)
	}
}

func TestTestName(t *testing.T) {
	for _, tt := range []struct {
		packages []string
		pkg      string
		want     string
	}{
		{[]string{"."}, "example.org/rec", "TestA"},
		{[]string{"./..."}, "example.org/rec", "TestA"},
		{[]string{"./..."}, "example.org/rec/sub", "sub.TestA"},
		{[]string{"./a", "./b"}, "example.org/rec/a", "a.TestA"},
		{[]string{"./a"}, "example.org/rec/a", "TestA"},
	} {
		s := suite{module: "example.org/rec@v1.0.0", packages: tt.packages}
		if got := s.testName(test{tt.pkg, "TestA"}); got != tt.want {
			t.Errorf("the name in %s of %v is %s, want %s", tt.pkg, tt.packages, got, tt.want)
		}
	}
}

func TestTakes(t *testing.T) {
	names := func(s suite) (names []string) {
		for _, c := range s.takes(columns) {
			names = append(names, c.name)
		}
		return names
	}
	if got, want := names(suite{deepOnly: true}), []string{columnNet, "deep-ring", "deep-syscall"}; !slices.Equal(got, want) {
		t.Errorf("a suite for -deep only runs in %q, want %q", got, want)
	}
	if got := names(suite{}); len(got) != len(columns) {
		t.Errorf("a suite runs in %q", got)
	}
}
