package deep

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor/engine"
)

// requireEngine skips the test where io_uring is refused, and only there.
func requireEngine(t *testing.T, name string) {
	t.Helper()
	if name != "uring" {
		return
	}
	_, err := engine.Probe()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("io_uring is refused here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A program prints the same with an overlay as without, and its sockets are on reactors.
func TestProgram(t *testing.T) {
	toolchains(t, func(t *testing.T, tc toolchain) {
		want, _ := runProgram(t, tc.build(t), "")
		if strings.Count(want, "\n") < 80 {
			t.Fatalf("the program printed too little: %q", want)
		}
		b := tc.prepare(t)
		compare(t, want, buildProgram(t, b))
		t.Run("race", func(t *testing.T) {
			if tc.version != current(t).version {
				t.Skip("one toolchain is enough")
			}
			if cgo, err := tc.run(t, ".", nil, "env", "CGO_ENABLED"); err != nil || strings.TrimSpace(cgo) != "1" {
				t.Skipf("the race detector needs cgo: CGO_ENABLED is %q, %v", cgo, err)
			}
			if testing.Short() {
				t.Skip("it builds the standard library twice")
			}
			compare(t, want, buildProgram(t, b, "-race"))
		})
	})
}

// compare runs a program that was built with an overlay on each engine.
func compare(t *testing.T, want, bin string) {
	t.Helper()
	for _, name := range []string{"uring", "syscall", "net"} {
		t.Run(name, func(t *testing.T) {
			requireEngine(t, name)
			got, report := runProgram(t, bin, name)
			if got != want {
				t.Errorf("the program printed\n%s\nand without the overlay\n%s", got, want)
			}
			engine, n := parseReport(t, report)
			if engine != name || n["open"] != 0 {
				t.Errorf("the report is %q", report)
			}
			if served := n["sockets"] > 200 && n["reactors"] > 0 && n["ops"] > 1000; served != (name != "net") {
				t.Errorf("the reactors did not serve the program's sockets as %s should: %q", name, report)
			}
		})
	}
}

// The standard library's own tests of sockets pass. The whole suites are too long for here;
// docs/deep.md has the commands.
func TestStandardLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs tests of package net")
	}
	tc := current(t)
	b := tc.prepare(t)
	for _, name := range []string{"uring", "syscall"} {
		t.Run(name, func(t *testing.T) {
			requireEngine(t, name)
			for pkg, run := range map[string]string{
				"net": "^Test(TCP|Unix|Conn|Close|Read|Write|Accept|Splice|Sendfile|SendFile|File|Raw|Various|Buffers|Listen|Mul?tipath|MPTCP|Half|Not|Dial(Timeout|TCP|Parallel|Local))",
				"os":  "^Test(GetPollFDAndNetwork|SendFile|SpliceFile)$",
			} {
				out, err := runGo(t, b, program, []string{"NETRING_ENGINE=" + name, "NETRING_DEEP_STATS=1"},
					"test", "-short", "-count=1", "-v", "-run", run, pkg)
				if err != nil {
					t.Errorf("%s: %v\n%s", pkg, err, failures(out))
				}
				if !strings.Contains(out, "\n--- PASS: ") || !strings.Contains(out, "netring: deep mode: engine="+name) {
					t.Errorf("%s: no test has passed on the reactors:\n%s", pkg, out)
				}
			}
		})
	}
}

// failures returns what go test says of failures.
func failures(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(strings.TrimSpace(line), "--- PASS") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// The overlay builds for other architectures.
func TestArchitectures(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds package net for each")
	}
	tc := current(t)
	for _, arch := range []string{"386", "arm", "arm64", "riscv64"} {
		t.Run(arch, func(t *testing.T) {
			t.Setenv("GOARCH", arch)
			t.Setenv("CGO_ENABLED", "0")
			out, err := runGo(t, tc.prepare(t), program, nil, "build", "net")
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Without netring among the module's requirements, the error says what to do.
func TestFindModulesFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module empty\n\ngo 1.25.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FindModules(t.Context(), "go", dir); err == nil || !strings.Contains(err.Error(), netringPath) || !strings.Contains(err.Error(), dir) {
		t.Errorf("FindModules: %v", err)
	}
	if _, err := FindModules(t.Context(), filepath.Join(dir, "no-go"), "."); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("FindModules without a go command: %v", err)
	}
	if _, err := Prepare(t.Context(), Request{Go: filepath.Join(dir, "no-go"), Dir: "."}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Prepare without a go command: %v", err)
	}
}
