package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestUnknownToolchain runs netring-try with a toolchain whose package net looks different.
func TestUnknownToolchain(t *testing.T) {
	t.Setenv("NETRING_TRY_CACHE", t.TempDir())
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	real := strings.TrimSpace(string(goroot))
	for _, test := range []struct{ old, changed, missing string }{
		{
			"func (lc *ListenConfig) Listen(", "func (lc ListenConfig) Listen(",
			"func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (Listener, error)",
		},
		{
			"func (d *Dialer) DialContext(ctx ", "func (d *Dialer) DialContext(extra int, ctx ",
			"func (d *Dialer) DialContext(ctx context.Context, network, address string) (Conn, error)",
		},
	} {
		p := tryCommand(t, serverDir, "build", "-dial", "-o", os.DevNull, ".")
		p.Env = append(p.Env, "GOROOT="+fakeRoot(t, real, test.old, test.changed), "GOTOOLCHAIN=local")
		p.start(t)
		status := p.end(t)
		for _, want := range []string{"net/dial.go has no declaration " + test.missing, "the standard library of go1.", "use one of go1.25 and go1.26, as in GOTOOLCHAIN=go1.26.0"} {
			if status != 1 || !strings.Contains(p.stderr.String(), want) {
				t.Errorf("%s: exit status %d, want 1 and the text %q:\n%s", test.changed, status, want, p.stderr.String())
			}
		}
	}
}

// fakeRoot returns a copy of the toolchain's root, by links, with a change in net/dial.go.
func fakeRoot(t *testing.T, real, old, changed string) string {
	t.Helper()
	root := t.TempDir()
	link := func(except string, elem ...string) { // all entries of a directory but one
		dir := filepath.Join(append([]string{real}, elem...)...)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(append([]string{root}, elem...)...)
		if err := os.MkdirAll(to, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() == except {
				continue
			}
			if err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(to, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	link("src")
	link("net", "src")
	link("dial.go", "src", "net")
	src, err := os.ReadFile(filepath.Join(real, "src", "net", "dial.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(src), old) {
		t.Fatalf("net/dial.go has no %q", old)
	}
	writeFile(t, filepath.Join(root, "src", "net", "dial.go"), strings.Replace(string(src), old, changed, 1))
	return root
}

func TestWithEnv(t *testing.T) {
	env := []string{"A=1", "AB=2", "A=3", "C"}
	if got := withEnv(env, "A=4", "D=5"); !slices.Equal(got, []string{"AB=2", "C", "A=4", "D=5"}) || env[0] != "A=1" {
		t.Errorf("the environment is %q, and was %q", got, env)
	}
}

func TestOtherSystem(t *testing.T) {
	p := tryCommand(t, serverDir, "build", "-o", os.DevNull, ".")
	p.Env = append(p.Env, "GOOS=darwin")
	p.start(t)
	if status := p.end(t); status != 1 || !strings.Contains(p.stderr.String(), "the build is for darwin; netring runs on Linux only") {
		t.Errorf("exit status %d\n%s", status, p.stderr.String())
	}
}

// TestOtherArchitecture builds a program for an architecture whose calls netring makes in
// another way.
func TestOtherArchitecture(t *testing.T) {
	for _, arch := range []string{"arm64", "386"} {
		p := tryCommand(t, serverDir, "build", "-dial", "-o", filepath.Join(t.TempDir(), "x"), ".")
		p.Env = append(p.Env, "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
		p.start(t)
		if status := p.end(t); status != 0 {
			t.Errorf("%s: exit status %d\n%s", arch, status, p.stderr.String())
		}
	}
}
