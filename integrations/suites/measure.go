package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	reruns      = 3                // of a failed test, alone
	maxRounds   = 8                // of a package whose process a test ends
	aloneTime   = 90 * time.Second // for a test alone, if the suite says nothing else
	maxOutcomes = 40               // failures to rerun; more mean that the suite as a whole is broken
)

// wholePackage stands for a package that fails although none of its tests does: its TestMain
// fails, for example because a goroutine is left. To run it alone is to run the package.
const wholePackage = "TestMain"

// result is what a suite has shown in a column.
type result struct {
	Tests    int       `json:"tests"` // that passed or failed
	Skipped  []string  `json:"skipped,omitempty"`
	Failed   []outcome `json:"failed,omitempty"`   // every time
	Unsteady []outcome `json:"unsteady,omitempty"` // sometimes
	Served   *served   `json:"served,omitempty"`   // by netring, where it counts
	Go       string    `json:"go"`
	Date     string    `json:"date"`
}

// outcome counts how often a test has failed.
type outcome struct {
	Test   string `json:"test"`
	Runs   int    `json:"runs"`
	Failed int    `json:"failed"`
}

// counts collects the outcomes of one column.
type counts struct {
	tests    map[test]status
	failed   map[test]int
	runs     map[test]int
	failures map[test]bool // failed in the run of the whole suite
}

// measure runs the suite once in a column, except for the tests to run apart. A package whose
// process a test ends is run again without that test.
func measure(ctx context.Context, m goTester, s suite, c column, apart []string) (*counts, error) {
	n := &counts{tests: map[test]status{}, failed: map[test]int{}, runs: map[test]int{}, failures: map[test]bool{}}
	for _, name := range apart {
		if err := n.runApart(ctx, m, s, c, name); err != nil {
			return nil, err
		}
	}
	skip, packages := append(s.skip(), apart...), s.packages
	for range maxRounds {
		out, err := m.test(ctx, job{suite: s, column: c, packages: packages, skip: skip, timeout: s.timeout})
		if err != nil {
			return nil, err
		}
		p, err := parseEvents(bytes.NewReader(out), s.groups)
		if err != nil {
			return nil, err
		}
		if len(p.buildFailed) > 0 {
			return nil, fmt.Errorf("building the tests failed: %s", strings.Join(p.buildFailed, ", "))
		}
		if len(p.packages) == 0 {
			return nil, errors.New("no tests have run")
		}
		packages = nil
		for _, pkg := range slices.Sorted(maps.Keys(p.packages)) {
			run := p.packages[pkg]
			n.add(pkg, run)
			if run.aborted {
				if len(run.culprit) == 0 {
					return nil, fmt.Errorf("the process of package %s ends in no test:\n%s", pkg, strings.Join(run.output, "\n"))
				}
				packages = append(packages, pkg)
				skip = append(skip, slices.Sorted(maps.Keys(run.culprit))...)
			}
		}
		if packages == nil {
			return n, nil
		}
	}
	return nil, fmt.Errorf("after %d rounds, tests still end the process: %s", maxRounds, strings.Join(skip, ", "))
}

// add adds the run of a package.
func (n *counts) add(pkg string, run *packageRun) {
	for name, s := range run.results {
		t := test{pkg, name}
		if n.tests[t] != failed { // of several rounds, a failure counts
			n.tests[t] = s
		}
		if s == failed {
			n.failures[t] = true
		}
	}
	if t := (test{pkg, wholePackage}); run.failedOutside() {
		n.tests[t], n.failures[t] = failed, true
	}
}

// runApart runs a test without the others.
func (n *counts) runApart(ctx context.Context, m goTester, s suite, c column, name string) error {
	out, err := m.test(ctx, job{suite: s, column: c, packages: s.packages, only: []string{name}, timeout: s.aloneTimeout()})
	if err != nil {
		return err
	}
	p, err := parseEvents(bytes.NewReader(out), s.groups)
	if err != nil {
		return err
	}
	before := len(n.tests)
	for pkg, run := range p.packages {
		n.add(pkg, run)
	}
	if len(n.tests) == before {
		return fmt.Errorf("there is no test %s, which the table of known differences names", name)
	}
	return nil
}

// rerun runs a test alone and counts the outcome.
func (n *counts) rerun(ctx context.Context, m goTester, s suite, c column, t test) error {
	j := job{suite: s, column: c, packages: []string{t.pkg}, only: []string{t.name}, timeout: s.aloneTimeout()}
	if t.name == wholePackage {
		j.only, j.skip, j.timeout = nil, s.skip(), s.timeout
	}
	for range reruns {
		out, err := m.test(ctx, j)
		if err != nil {
			return err
		}
		p, err := parseEvents(bytes.NewReader(out), s.groups)
		if err != nil {
			return err
		}
		run := p.packages[t.pkg]
		if run == nil {
			return fmt.Errorf("running %s of %s alone ran nothing", t.name, t.pkg)
		}
		n.runs[t]++
		if run.ended != passed && (t.name != wholePackage || run.failedOutside()) {
			n.failed[t]++
		}
	}
	return nil
}

// result summarises the counts. A test that has failed in the run of all tests counts as
// failed if it has failed alone every time, and else as unsteady.
func (n *counts) result(s suite) *result {
	r := &result{}
	for t, st := range n.tests {
		switch {
		case st == skipped:
			r.Skipped = append(r.Skipped, s.testName(t))
		case t.name != wholePackage:
			r.Tests++
		}
		o := outcome{Test: s.testName(t), Runs: 1 + n.runs[t], Failed: n.failed[t]}
		if n.failures[t] {
			o.Failed++
		}
		switch {
		case o.Failed == 0:
		case n.failures[t] && o.Failed == o.Runs:
			r.Failed = append(r.Failed, o)
		default:
			r.Unsteady = append(r.Unsteady, o)
		}
	}
	slices.Sort(r.Skipped)
	byTest := func(a, b outcome) int { return strings.Compare(a.Test, b.Test) }
	slices.SortFunc(r.Failed, byTest)
	slices.SortFunc(r.Unsteady, byTest)
	return r
}

// skip returns the tests that are left out.
func (s suite) skip() []string {
	var tests []string
	for _, l := range s.left {
		tests = append(tests, l.test)
	}
	return tests
}

func (s suite) aloneTimeout() time.Duration {
	if s.alone > 0 {
		return s.alone
	}
	return aloneTime
}

// testName returns the name of a test for the page: with its package if the suite has several.
func (s suite) testName(t test) string {
	if len(s.packages) == 1 && !strings.Contains(s.packages[0], "...") {
		return t.name
	}
	pkg := t.pkg
	if path, _, ok := strings.Cut(s.module, "@"); ok {
		pkg = strings.TrimPrefix(strings.TrimPrefix(pkg, path), "/")
	}
	if pkg == "" {
		return t.name
	}
	return pkg + "." + t.name
}

// runSuite runs a suite in the given columns. Tests that fail in one are run alone in all of
// the columns where they failed, and on package net.
func runSuite(ctx context.Context, m goTester, s suite, cs []column, table []known, say func(string, ...any)) (map[string]*result, error) {
	all := map[string]*counts{}
	failures := map[test]bool{}
	for _, c := range cs {
		say("%s: %s", s.name, c.name)
		n, err := measure(ctx, m, s, c, apart(table, s.name, c.name))
		if err != nil {
			return nil, fmt.Errorf("suite %s, column %s: %w", s.name, c.name, err)
		}
		all[c.name] = n
		maps.Copy(failures, n.failures)
	}
	tests := slices.SortedFunc(maps.Keys(failures), func(a, b test) int { return strings.Compare(a.pkg+a.name, b.pkg+b.name) })
	if len(tests) > maxOutcomes {
		say("%s: %d tests failed; rerunning the first %d only", s.name, len(tests), maxOutcomes)
		tests = tests[:maxOutcomes]
	}
	for _, t := range tests {
		for _, c := range cs {
			n := all[c.name]
			if !n.failures[t] && c.name != columnNet {
				continue
			}
			say("%s: %s: %s alone", s.name, c.name, s.testName(t))
			if err := n.rerun(ctx, m, s, c, t); err != nil {
				return nil, err
			}
		}
	}
	results := map[string]*result{}
	for name, n := range all {
		results[name] = n.result(s)
	}
	return results, nil
}

// countServed runs the suite in a column once more and returns what netring has served. Writing
// the counters starts goroutines at times, which tests that look for leaks find. So this run
// gives no other results.
func countServed(ctx context.Context, m goTester, s suite, c column) (*served, error) {
	if _, err := m.served(); err != nil { // of an interrupted run
		return nil, err
	}
	j := job{suite: s, column: c, packages: s.packages, skip: s.skip(), timeout: s.timeout, stats: true}
	if _, err := m.test(ctx, j); err != nil {
		return nil, err
	}
	sum, err := m.served()
	return &sum, err
}
