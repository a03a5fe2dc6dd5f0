package main

import (
	"fmt"
	"slices"
	"strings"
)

// difference is a test that fails in some columns and not on package net.
type difference struct {
	Suite, Test string
	Columns     []string
	Why         string // "" if the table of known differences has no reason
}

// flaky is a test that fails sometimes.
type flaky struct {
	Suite, Test string
	Columns     []outcomeIn
}

// outcomeIn is how often a test has failed in a column.
type outcomeIn struct {
	Column string
	outcome
}

// verdict compares the columns of suites with package net.
type verdict struct {
	Differences []difference
	AlsoNet     []difference // tests that fail on package net, with all columns where they fail
	Unsteady    []flaky
	Problems    []string // what makes results incomparable
	Stale       []known  // known differences that did not fail
}

// compare compares the results of a suite with package net.
func (v *verdict) compare(s suite, r *suiteResult, table []known) {
	net := r.Columns[columnNet]
	if net == nil {
		v.Problems = append(v.Problems, s.name+" has no results of package net; run it with -columns net")
		return
	}
	at := map[string]int{} // by test, in v.Differences
	for _, c := range columns {
		got := r.Columns[c.name]
		if got == nil || c.name == columnNet {
			continue
		}
		for _, test := range differing(got, net) {
			why := reason(table, s.name, test, c.name)
			key := test + "\n" + why
			i, ok := at[key]
			if !ok {
				i = len(v.Differences)
				at[key] = i
				v.Differences = append(v.Differences, difference{Suite: s.name, Test: test, Why: why})
			}
			v.Differences[i].Columns = append(v.Differences[i].Columns, c.name)
		}
		if all, want := got.Tests+len(got.Skipped), net.Tests+len(net.Skipped); all != want {
			v.Problems = append(v.Problems, fmt.Sprintf("%s has run %d tests in column %s and %d on package net", s.name, all, c.name, want))
		}
		if c.name != columnNet && got.Served != nil && *got.Served == (served{}) {
			v.Problems = append(v.Problems, fmt.Sprintf("%s has used no connection of netring in column %s", s.name, c.name))
		}
	}
	v.failing(s, r, net)
	v.unsteady(s, r)
	v.stale(s, r, table)
}

// differing returns the tests that fail, or are skipped, in a column and not on package net.
func differing(got, net *result) []string {
	var tests []string
	for _, o := range got.Failed {
		if !has(net.Failed, o.Test) && !has(net.Unsteady, o.Test) {
			tests = append(tests, o.Test)
		}
	}
	for _, name := range got.Skipped {
		if !slices.Contains(net.Skipped, name) {
			tests = append(tests, name)
		}
	}
	return tests
}

func has(list []outcome, test string) bool {
	return slices.ContainsFunc(list, func(o outcome) bool { return o.Test == test })
}

func reason(table []known, suite, test, column string) string {
	for _, k := range table {
		if k.suite == suite && k.test == test && slices.Contains(k.columns, column) {
			return k.why
		}
	}
	return ""
}

// failing notes the tests that fail on package net.
func (v *verdict) failing(s suite, r *suiteResult, net *result) {
	for _, o := range net.Failed {
		d := difference{Suite: s.name, Test: o.Test}
		for _, c := range columns {
			if got := r.Columns[c.name]; got != nil && (has(got.Failed, o.Test) || has(got.Unsteady, o.Test)) {
				d.Columns = append(d.Columns, c.name)
			}
		}
		v.AlsoNet = append(v.AlsoNet, d)
	}
}

// unsteady notes the tests that fail sometimes, with their counts in all columns that have any.
func (v *verdict) unsteady(s suite, r *suiteResult) {
	var tests []string
	for _, c := range columns {
		if got := r.Columns[c.name]; got != nil {
			for _, o := range got.Unsteady {
				if !slices.Contains(tests, o.Test) {
					tests = append(tests, o.Test)
				}
			}
		}
	}
	slices.Sort(tests)
	for _, test := range tests {
		f := flaky{Suite: s.name, Test: test}
		for _, c := range columns {
			got := r.Columns[c.name]
			if got == nil {
				continue
			}
			for _, o := range slices.Concat(got.Unsteady, got.Failed) {
				if o.Test == test {
					f.Columns = append(f.Columns, outcomeIn{c.name, o})
				}
			}
		}
		v.Unsteady = append(v.Unsteady, f)
	}
}

// stale notes the known differences of the suite that passed in a column with results.
func (v *verdict) stale(s suite, r *suiteResult, table []known) {
	for _, k := range table {
		if k.suite != s.name {
			continue
		}
		var without []string
		for _, name := range k.columns {
			got := r.Columns[name]
			if got != nil && !has(got.Failed, k.test) && !has(got.Unsteady, k.test) && !slices.Contains(got.Skipped, k.test) {
				without = append(without, name)
			}
		}
		if without != nil {
			v.Stale = append(v.Stale, known{suite: k.suite, test: k.test, columns: without, why: k.why})
		}
	}
}

// report returns what to tell at the end of a run, and whether all failures are known.
func (v *verdict) report() (lines []string, ok bool) {
	ok = len(v.Problems) == 0
	lines = append(lines, v.Problems...)
	for _, d := range v.Differences {
		if d.Why == "" {
			ok = false
			lines = append(lines, fmt.Sprintf("%s: %s fails in %s and not on package net", d.Suite, d.Test, strings.Join(d.Columns, ", ")))
		}
	}
	for _, k := range v.Stale {
		lines = append(lines, fmt.Sprintf("%s: %s no longer fails in %s; change the table of known differences", k.suite, k.test, strings.Join(k.columns, ", ")))
	}
	return lines, ok
}
