package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is a line of `go test -json`, see `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
	FailedBuild                   string
}

// test names a test that counts.
type test struct{ pkg, name string }

// status is how a test ended.
type status string

const (
	passed  status = "pass"
	failed  status = "fail"
	skipped status = "skip"
)

// packageRun is what one run of a package's tests has shown.
type packageRun struct {
	results map[string]status
	running map[string]bool // tests that have started, not ended and are not paused
	ended   status          // of the package, "" if it has not ended
	whole   bool            // package testing has reported the failure of the package
	aborted bool            // the process ended before its tests did
	culprit map[string]bool // the tests that have aborted the process
	output  []string        // lines of the package that belong to no test
}

// parser collects events of `go test -json`.
type parser struct {
	// groups are top-level tests that only hold others: their subtests count.
	groups []string

	packages    map[string]*packageRun
	buildFailed []string
}

// parseEvents reads the output of `go test -json`. Lines that are no events, which the programs
// under test may print, are ignored.
func parseEvents(r io.Reader, groups []string) (*parser, error) {
	p := &parser{groups: groups, packages: map[string]*packageRun{}}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if bytes.HasPrefix(line, []byte("{")) {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				p.add(e)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the output of go test: %w", err)
		}
	}
	for _, run := range p.packages {
		p.finish(run)
	}
	return p, nil
}

// counted returns the test that counts for the full name of a test or subtest, "" for a test
// that only holds others.
func (p *parser) counted(name string) string {
	top, sub, isSub := strings.Cut(name, "/")
	if !slices.Contains(p.groups, top) {
		return top
	}
	if !isSub {
		return ""
	}
	sub, _, _ = strings.Cut(sub, "/")
	return top + "/" + sub
}

func (p *parser) add(e event) {
	if e.FailedBuild != "" {
		p.buildFailed = append(p.buildFailed, e.Package)
	}
	if e.Package == "" {
		return
	}
	run := p.packages[e.Package]
	if run == nil {
		run = &packageRun{results: map[string]status{}, running: map[string]bool{}, culprit: map[string]bool{}}
		p.packages[e.Package] = run
	}
	if e.Action == "output" {
		p.addOutput(run, e)
		return
	}
	if e.Test == "" {
		if s := status(e.Action); s == passed || s == failed || s == skipped {
			run.ended = s
		}
		return
	}
	name := p.counted(e.Test)
	whole := name == e.Test
	switch e.Action {
	case "run", "cont":
		if whole {
			run.running[name] = true
		}
	case "pause":
		if whole {
			delete(run.running, name)
		}
	case "pass", "fail", "skip":
		p.end(run, e.Test, status(e.Action))
	}
}

// end notes the end of a test. A group that fails although none of its subtests does counts
// itself.
func (p *parser) end(run *packageRun, full string, s status) {
	name := p.counted(full)
	switch {
	case name == full:
		run.results[name] = s
		delete(run.running, name)
	case name == "" && s == failed:
		for sub, result := range run.results {
			if result == failed && strings.HasPrefix(sub, full+"/") {
				return
			}
		}
		run.results[full] = failed
	}
}

// addOutput looks for the ends of processes. After a time-out, the tests under way are to
// blame, and the panic is of none.
func (p *parser) addOutput(run *packageRun, e event) {
	line := strings.TrimRight(e.Output, "\n")
	if e.Test == "" {
		run.output = append(run.output, line)
		run.whole = run.whole || line == "FAIL" // package testing's last word
	}
	if !strings.HasPrefix(line, "panic: ") && !strings.HasPrefix(line, "fatal error: ") {
		return
	}
	run.aborted = true
	// A panic of another goroutine may be printed after any test.
	name := p.counted(e.Test)
	if !strings.HasPrefix(line, "panic: test timed out after ") && (run.running[name] || run.results[name] == failed) {
		run.culprit[name] = true
	}
}

// finish decides which tests have aborted the process. If the process does not say, it was one
// of those under way.
func (p *parser) finish(run *packageRun) {
	if run.ended == passed || run.ended == skipped || run.whole {
		run.aborted = false // what looked like a panic was a test's output
		clear(run.culprit)
		return
	}
	if len(run.running) > 0 {
		run.aborted = true
	}
	if !run.aborted {
		clear(run.culprit)
		return
	}
	if len(run.culprit) == 0 {
		maps.Copy(run.culprit, run.running)
	}
	for name := range run.culprit {
		run.results[name] = failed
	}
}

// failedOutside reports whether the package has failed although none of its tests has.
func (r *packageRun) failedOutside() bool {
	if r.ended != failed || r.aborted {
		return false
	}
	for _, s := range r.results {
		if s == failed {
			return false
		}
	}
	return true
}
