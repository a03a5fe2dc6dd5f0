package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRender(t *testing.T) {
	st := &store{
		Suites: map[string]*suiteResult{"rec": recResults()},
		Checks: map[string]*checkResult{"prog": {Module: "example.org/prog@v2.0.0", Fails: 1, Silent: 2, Works: 3, Date: "2026-01-02"}},
	}
	programs := []program{{"prog", "example.org/prog@v2.0.0", "./..."}, {"unmeasured", "example.org/un@v1.0.0", "./..."}}
	text, err := render(st, []suite{recSuite, {name: "unmeasured"}}, recKnown, programs)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n| rec | v1.0.0 | 5 | 1 | 4, 2 | –, – |\n",
		"\n- rec: `TestRoot`: needs root.\n",
		"\n- **rec**, `TestKnown` (`-dial`): asserts a type.\n",
		"\n- **rec**, `TestNew` (ring)\n",
		"\n- rec: `TestBoth` (net, `-dial`)\n",
		"\n- rec: `TestSometimes`: ring 1 of 4\n",
		"\n| prog | v2.0.0 | 1 | 2 | 3 | 2026-01-02 |\n",
		"The toolchain is go1.26.8.",
	} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("the page lacks %q, or has it twice", want)
		}
	}
	if strings.Count(string(text), "`TestNew`") != 1 {
		t.Error("the page does not have TestNew once")
	}
	if strings.Contains(string(text), "unmeasured") {
		t.Error("the page has a suite or program without results")
	}
	if t.Failed() {
		t.Logf("the page:\n%s", text)
	}
}

// The page in docs is that of the results: nobody has edited it by hand.
func TestPageIsCurrent(t *testing.T) {
	st, err := readStore("results.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := render(st, suites, knownDifferences, programs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.FromSlash("../../docs/compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/compatibility.md is not the page of results.json; run .ci/suites -render")
	}
	if lines, ok := judge(st, suites, knownDifferences).report(); !ok {
		t.Errorf("the results have failures without a reason: %q", lines)
	}
}

func TestBullets(t *testing.T) {
	got := bullets([]difference{
		{"rec", "TestA", dial, "asserts a type."}, {"rec", "TestB", dial, "asserts a type."}, {"rec", "TestC", deep, "asserts a type."},
		{"rec", "TestD", dial, "`Start` asserts a type."}, {"rec", "TestE", dial, "`Start` asserts a type."},
	}, true)
	want := []string{
		"- **rec**, `TestA`, `TestB` (`-dial`): each asserts a type.",
		"- **rec**, `TestC` (`-deep`): asserts a type.",
		"- **rec**, `TestD`, `TestE` (`-dial`): `Start` asserts a type.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the bullets are %q, want %q", got, want)
	}
}

func TestWrap(t *testing.T) {
	text := "- " + strings.Repeat("éé ", 100)
	for line := range strings.Lines(wrap(text)) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > maxLine || n < 20 {
			t.Errorf("a line has %d characters: %q", n, line)
		}
	}
	if strings.Join(strings.Fields(wrap(text)), " ") != strings.TrimSpace(text) {
		t.Error("wrap changes the words")
	}
}

func TestTitles(t *testing.T) {
	for _, tt := range []struct {
		names []string
		want  string
	}{
		{dial, "`-dial`"},
		{append([]string{"net"}, deep...), "net, `-deep`"},
		{[]string{"ring", "deep-syscall"}, "ring, `-deep` syscall"},
	} {
		if got := titles(tt.names); got != tt.want {
			t.Errorf("the titles of %v are %q, want %q", tt.names, got, tt.want)
		}
	}
}
