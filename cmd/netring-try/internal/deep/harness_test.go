package deep

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// toolchain is the go command with what chooses its version.
type toolchain struct {
	version string   // "go1.26"
	env     []string // for its processes
}

// toolchains runs f with each known version of Go: the one that runs the test, and others
// where they can be downloaded.
func toolchains(t *testing.T, f func(t *testing.T, tc toolchain)) {
	for _, version := range goVersions {
		t.Run(version, func(t *testing.T) {
			tc := toolchain{version, os.Environ()}
			if !strings.HasPrefix(runtime.Version(), version+".") {
				tc.env = append(tc.env, "GOTOOLCHAIN="+version+".0")
				if out, err := tc.run(t, ".", nil, "version"); err != nil {
					t.Skipf("%s cannot be downloaded: %v\n%s", version, err, out)
				}
			}
			f(t, tc)
		})
	}
}

// current is the toolchain that runs the test.
func current(t *testing.T) toolchain {
	t.Helper()
	for _, version := range goVersions {
		if strings.HasPrefix(runtime.Version(), version+".") {
			return toolchain{version, os.Environ()}
		}
	}
	t.Fatalf("deep mode does not know %s", runtime.Version())
	return toolchain{}
}

// run runs the go command in dir and returns what it writes.
func (tc toolchain) run(t *testing.T, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	return command(t, dir, append(slices.Clone(tc.env), env...), "go", args...)
}

// command runs a command in dir and returns what it writes.
func command(t *testing.T, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// config returns the Config for the toolchain.
func (tc toolchain) config(t *testing.T) Config {
	t.Helper()
	cfg, _, err := findToolchain(t.Context(), "go", ".")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Modules = modules(t)
	return cfg
}

// prepare returns a Build for the toolchain and the program in testdata.
func (tc toolchain) prepare(t *testing.T) *Build {
	t.Helper()
	m := modules(t)            // of this module, with the toolchain that runs the test
	for _, v := range tc.env { // Prepare has the process's environment
		if name, value, _ := strings.Cut(v, "="); name == "GOTOOLCHAIN" {
			t.Setenv(name, value)
		}
	}
	b, err := Prepare(t.Context(), Request{Go: "go", Dir: program, Modules: m, Work: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// program is a directory with a module.
var program = filepath.Join("testdata", "program")

// modules are those of this module.
func modules(t *testing.T) Modules {
	t.Helper()
	m, err := FindModules(t.Context(), "go", ".")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// build builds the program without an overlay and returns its path.
func (tc toolchain) build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "program")
	if out, err := tc.run(t, program, nil, "build", "-o", bin, "."); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// buildProgram builds the program in deep mode and returns its path.
func buildProgram(t *testing.T, b *Build, flags ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "program")
	out, err := runGo(t, b, program, nil, "build", append([]string{"-o", bin}, append(flags, ".")...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// runGo runs a go command in deep mode and returns what it writes.
func runGo(t *testing.T, b *Build, dir string, env []string, verb string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := b.Command(ctx, verb, args...)
	cmd.Dir, cmd.Env = dir, append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// runProgram runs the program and returns what it prints and the report of deep mode.
func runProgram(t *testing.T, bin, engine string) (stdout, report string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin)
	cmd.Env = append(os.Environ(), "NETRING_ENGINE="+engine, "NETRING_DEEP_STATS=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("the program with engine %s: %v\n%s\n%s", engine, err, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// parseReport returns the engine and the counters of a report.
func parseReport(t *testing.T, report string) (engine string, counts map[string]int) {
	t.Helper()
	text, ok := strings.CutPrefix(report, "netring: deep mode: ")
	if !ok || strings.Count(report, "\n") != 1 {
		t.Fatalf("the program wrote %q instead of a report", report)
	}
	counts = make(map[string]int)
	for field := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(field, "=")
		if name == "engine" {
			engine = value
			continue
		}
		var n int
		if _, err := fmt.Sscan(value, &n); err != nil {
			t.Fatalf("the report has %q: %q", field, report)
		}
		counts[name] = n
	}
	return engine, counts
}
