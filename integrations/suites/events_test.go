package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const recPackage = "example.org/rec"

// recorded returns a recorded output of go test.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseEvents(t *testing.T) {
	tests := []struct {
		file    string
		groups  []string
		want    map[string]status
		culprit []string // nil if the process was not aborted
	}{
		{file: "fail", want: map[string]status{
			"TestOK": passed, "TestSkip": skipped, "TestParallel": passed, "TestGroup": failed,
		}},
		{file: "fail", groups: []string{"TestGroup"}, want: map[string]status{
			"TestOK": passed, "TestSkip": skipped, "TestParallel": passed, "TestGroup/A": passed, "TestGroup/B": failed,
		}},
		{file: "panic", want: map[string]status{"TestFail": failed, "TestPanic": failed}, culprit: []string{"TestPanic"}},
		// The panic is printed after TestOK, which has passed; TestA runs.
		{file: "goroutine", want: map[string]status{"TestOK": passed, "TestA": failed}, culprit: []string{"TestA"}},
		{file: "exit", want: map[string]status{"TestOK": passed, "TestExit": failed}, culprit: []string{"TestExit"}},
		{file: "timeout", want: map[string]status{"TestOther": passed, "TestTime": failed, "TestTime2": failed},
			culprit: []string{"TestTime", "TestTime2"}},
		{file: "timeout", groups: []string{"TestTime"}, want: map[string]status{"TestOther": passed, "TestTime/sub": failed, "TestTime2": failed},
			culprit: []string{"TestTime/sub", "TestTime2"}},
	}
	for _, tt := range tests {
		p := parseRecorded(t, tt.file, tt.groups)
		run := p.packages[recPackage]
		if !maps.Equal(run.results, tt.want) {
			t.Errorf("%s, groups %v: the results are %v, want %v", tt.file, tt.groups, run.results, tt.want)
		}
		if run.aborted != (tt.culprit != nil) || !slices.Equal(slices.Sorted(maps.Keys(run.culprit)), tt.culprit) {
			t.Errorf("%s: aborted is %v by %v, want %v", tt.file, run.aborted, run.culprit, tt.culprit)
		}
		if run.failedOutside() {
			t.Errorf("%s: the package failed outside its tests", tt.file)
		}
	}
}

func parseRecorded(t *testing.T, file string, groups []string) *parser {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := parseEvents(f, groups)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseFailuresOutsideTests(t *testing.T) {
	if p := parseRecorded(t, "build", nil); !slices.Equal(p.buildFailed, []string{recPackage}) {
		t.Errorf("the builds that failed are %v", p.buildFailed)
	}
	if run := parseRecorded(t, "outside", nil).packages[recPackage]; !run.failedOutside() {
		t.Errorf("the leak after the tests went unnoticed: %+v", run)
	}
	if p := parseRecorded(t, "fail", nil); p.packages[recPackage+"/none"].ended != skipped {
		t.Errorf("the package without tests has ended with %q", p.packages[recPackage+"/none"].ended)
	}
}

// A group that fails by itself counts.
func TestParseGroupFails(t *testing.T) {
	p := &parser{groups: []string{"Test"}, packages: map[string]*packageRun{}}
	for _, e := range []event{
		{Action: "run", Package: "p", Test: "Test"},
		{Action: "run", Package: "p", Test: "Test/A"},
		{Action: "pass", Package: "p", Test: "Test/A"},
		{Action: "fail", Package: "p", Test: "Test"},
	} {
		p.add(e)
	}
	want := map[string]status{"Test/A": passed, "Test": failed}
	if got := p.packages["p"].results; !maps.Equal(got, want) {
		t.Errorf("the results are %v, want %v", got, want)
	}
}
