package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hermetic keeps the go command of a test off the network and away from the user's
// settings.
func hermetic(t *testing.T) {
	t.Helper()
	for _, kv := range [][2]string{
		{"GOPROXY", "off"}, {"GOFLAGS", ""}, {"GOWORK", "off"}, {"GOTOOLCHAIN", "local"},
	} {
		t.Setenv(kv[0], kv[1])
	}
}

// check runs Run and returns what it printed.
func check(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	hermetic(t)
	var out, errs bytes.Buffer
	err = Run(args, &out, &errs)
	return out.String(), errs.String(), err
}

func checkJSON(t *testing.T, args ...string) Result {
	t.Helper()
	out, stderr, err := check(t, append([]string{"-json"}, args...)...)
	if err != nil || stderr != "" {
		t.Fatalf("Run(%q) = %v, stderr %q", args, err, stderr)
	}
	var r Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in the output of Run(%q)", err, args)
	}
	return r
}

// A want is an expectation: a comment // want CLASS "why" write "what".
type want struct {
	class      string
	why, write *regexp.Regexp
}

var wantSyntax = regexp.MustCompile(`^// want (fails|silent|works) "(.*?)"(?: write "(.*)")?$`)

// wants reads the expectations of a module, by file:line.
func wants(t *testing.T, dir string) map[string]want {
	t.Helper()
	found := make(map[string]want)
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file := fset.AddFile(name, -1, len(src))
		var s scanner.Scanner
		s.Init(file, src, nil, scanner.ScanComments)
		for {
			pos, tok, lit := s.Scan()
			if tok == token.EOF {
				break
			}
			if tok != token.COMMENT || !strings.HasPrefix(lit, "// want ") {
				continue
			}
			m := wantSyntax.FindStringSubmatch(lit)
			if m == nil {
				t.Fatalf("%s: cannot read %s", fset.Position(pos), lit)
			}
			at := fmt.Sprintf("%s:%d", filepath.Base(name), fset.Position(pos).Line)
			found[at] = want{m[1], regexp.MustCompile(m[2]), regexp.MustCompile(m[3])}
		}
	}
	return found
}

// TestFindings compares what Run finds in testdata with the comments there.
func TestFindings(t *testing.T) {
	r := checkJSON(t, "-C", "testdata/app", "./...")
	checkOrder(t, r)
	checked := 0
	for _, m := range r.Modules {
		dir := strings.TrimPrefix(m.Path, "example.com/")
		if m.Main != (dir == "app") {
			t.Errorf("module %s: main is %t", m.Path, m.Main)
		}
		expected := wants(t, filepath.Join("testdata", dir))
		checked += len(expected)
		for _, f := range m.Findings {
			at := f.File + ":" + strconv.Itoa(f.Line)
			w, ok := expected[at]
			delete(expected, at)
			switch {
			case !ok:
				t.Errorf("%s/%s: unexpected or second finding: %s: %s: %s", dir, at, f.Class, f.Code, f.Why)
			case f.Class.String() != w.class || !w.why.MatchString(f.Why):
				t.Errorf("%s/%s: %s: %q, want %s: %q", dir, at, f.Class, f.Why, w.class, w.why)
			case !w.write.MatchString(f.Write):
				t.Errorf("%s/%s: write %q, want %q", dir, at, f.Write, w.write)
			}
		}
		for at, w := range expected {
			t.Errorf("%s/%s: found nothing, want %s: %q", dir, at, w.class, w.why)
		}
	}
	if checked < 85 {
		t.Errorf("compared %d findings, want 85 or more", checked)
	}
}

// checkOrder compares the order of a result, and its counts.
func checkOrder(t *testing.T, r Result) {
	t.Helper()
	if len(r.Modules) != 2 || !r.Modules[0].Main {
		t.Fatalf("modules %+v, want the main module first", r.Modules)
	}
	counts := make(map[Class]int)
	for _, m := range r.Modules {
		if !slices.IsSortedFunc(m.Findings, func(a, b Finding) int { return int(a.Class) - int(b.Class) }) {
			t.Errorf("%s: findings are not sorted by class", m.Path)
		}
		for _, f := range m.Findings {
			counts[f.Class]++
		}
	}
	if counts[Fails] != r.Fails || counts[Silent] != r.Silent || counts[Works] != r.Works {
		t.Errorf("counts %d, %d, %d do not match the findings %v", r.Fails, r.Silent, r.Works, counts)
	}
}

func TestFail(t *testing.T) {
	_, _, err := check(t, "-fail", "-C", "testdata/app", "./...")
	if !errors.Is(err, ErrFound) {
		t.Errorf("-fail: %v, want ErrFound", err)
	}
	dir := module(t, map[string]string{"a.go": "package a\nimport \"net\"\nvar l net.Listener\n"})
	if out, _, err := check(t, "-fail", "-C", dir); err != nil {
		t.Errorf("-fail without findings: %v, %s", err, out)
	}
}

func TestHelp(t *testing.T) {
	out, stderr, err := check(t, "-h")
	if err != nil || stderr != "" {
		t.Errorf("-h: %v, %q", err, stderr)
	}
	for _, s := range []string{"Usage:", "-json", "-fail", "-std", "-all", "-C directory"} {
		if !strings.Contains(out, s) {
			t.Errorf("-h does not mention %s", s)
		}
	}
}

// module writes a module without dependencies.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.com/m\n\ngo 1.25.0\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestErrors(t *testing.T) {
	broken := "package a\n\nfunc f() int { return \"\" }\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		args  []string
		want  string // regular expression
	}{
		{"flag", nil, []string{"-nosuch"}, `flag provided but not defined: -nosuch; -h lists the flags`},
		{"pattern", map[string]string{"a.go": "package a\n"}, []string{"./nosuch"}, `package .*nosuch`},
		{"nothing", map[string]string{}, []string{"./..."}, `matches no package for linux; patterns are those of`},
		{"folder", nil, []string{"-C", "/nosuch"}, `cannot list ./\.\.\.: .*nosuch`},
		{"types", map[string]string{"a.go": broken}, nil, `does not compile; make .go build. work first.*\n.*a.go:3:23`},
		{"syntax", map[string]string{"a.go": "package a\nfunc {\n"}, nil, `a.go:2:6`},
		{"import", map[string]string{"a.go": "package a\nimport _ \"example.com/nosuch\"\n"}, nil, `example.com/nosuch`},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := test.args
			if test.files != nil {
				args = append([]string{"-C", module(t, test.files)}, args...)
			}
			_, _, err := check(t, args...)
			if err == nil || !regexp.MustCompile(test.want).MatchString(err.Error()) {
				t.Errorf("Run(%q) = %v, want %s", args, err, test.want)
			}
		})
	}
}

// TestLenient: with -e, a broken package does not hide the findings in the others.
func TestLenient(t *testing.T) {
	dir := module(t, map[string]string{
		"a.go": "package a\nimport \"net\"\nfunc f(c net.Conn) { c.(*net.TCPConn).CloseRead() }\n" +
			"func g() { undefined(net.Flags(missing)); for _, x := range gone.All() { x.(*net.TCPConn).Close() } }\n",
	})
	out, stderr, err := check(t, "-e", "-C", dir)
	if err != nil || !strings.Contains(out, "a.go:3:22: c.(*net.TCPConn)") {
		t.Errorf("-e: %v, %s", err, out)
	}
	if !strings.Contains(stderr, "warning:") || !strings.Contains(stderr, "undefined: ") {
		t.Errorf("-e: stderr %q", stderr)
	}
}

func TestText(t *testing.T) {
	short, _, err := check(t, "-C", "testdata/app", "./...")
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := check(t, "-all", "-C", "testdata/app", "./...")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"example.com/app\n  fails\n    app.go:22:17: ln.(*net.TCPListener)  in listen\n        panics, once net.Listen (app.go:18)",
		"        write: net.Listener in place of *net.TCPListener; set keep-alive in netring.ListenConfig\n",
		"  loses a feature silently\n",
		"example.com/dep v0.0.0 (dependency)\n",
		"In a dependency, the line to write is one for its authors.",
		"; searched 2 of 2 packages in 2 modules\n",
	} {
		if !strings.Contains(short, s) {
			t.Errorf("missing %q in\n%s", s, short)
		}
	}
	if strings.Contains(short, "  works\n") || !strings.Contains(short, " work (-all lists them);") {
		t.Errorf("without -all, the output lists what works, or does not name -all:\n%s", short)
	}
	if !strings.Contains(all, "  works\n") || strings.Contains(all, "(-all lists them)") {
		t.Error("with -all, the output does not list what works, or names -all")
	}
}

// TestStd: the standard library is searched with -std only.
func TestStd(t *testing.T) {
	dir := module(t, map[string]string{"a.go": "package a\nimport \"net/http\"\nvar s http.Server\n"})
	if r := checkJSON(t, "-C", dir); len(r.Modules) != 0 || r.Packages != 1 {
		t.Errorf("without -std: %+v", r)
	}
	r := checkJSON(t, "-std", "-C", dir)
	if len(r.Modules) != 1 || r.Modules[0].Path != "std" || r.Modules[0].Main || r.Packages < 50 {
		t.Errorf("with -std: %d packages, %+v", r.Packages, r.Modules)
	}
}

// TestTags: a file that the build leaves out is not searched.
func TestTags(t *testing.T) {
	file := "import \"net\"\n\nfunc f(c net.Conn) { c.(*net.TCPConn).CloseRead() }\n"
	dir := module(t, map[string]string{
		"a.go":         "package a\n",
		"b.go":         "//go:build special\n\npackage a\n\n" + file,
		"c_windows.go": "package a\n\n" + file,
		"d_test.go":    "package a\n\n" + file,
	})
	t.Setenv("GOOS", "windows") // makes no difference: netring is for Linux
	if r := checkJSON(t, "-C", dir); r.Fails != 0 {
		t.Errorf("without -tags: %+v", r)
	}
	if r := checkJSON(t, "-tags", "special", "-C", dir); r.Fails != 1 {
		t.Errorf("with -tags: %+v", r)
	}
}
