package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	wantNetring    = "WANT_LISTENER=*netring.Listener"
	wantNet        = "WANT_LISTENER=*net.TCPListener"
	wantConn       = "WANT_CONN=*netring.Conn"
	go125, go126   = "go1.25.0", "go1.26.0"
	testedPackages = 4
)

// TestTest runs tests of packages with internal and external tests, with a TestMain, and
// without any.
func TestTest(t *testing.T) {
	for _, test := range []struct {
		env    string
		status int
	}{{wantNetring, 0}, {wantNet, 1}} {
		p := tryCommand(t, testsDir, "test", "-count=1", "-dial", "./...")
		p.Env = append(p.Env, test.env, wantConn)
		p.start(t)
		status := p.end(t)
		ok, failed := strings.Count(p.stdout.String(), "ok  \t"), strings.Count(p.stdout.String(), "FAIL\texample.com/")
		wantOK := testedPackages - 3*test.status // package fields does not look at WANT_LISTENER
		if status != test.status || ok != wantOK || failed != testedPackages-wantOK {
			t.Errorf("%s: exit status %d, %d passed, %d failed:\n%s%s", test.env, status, ok, failed, p.stdout.String(), p.stderr.String())
		}
	}
}

// TestFields runs the tests of what package net's fields mean on package net, too, so that
// TestTest compares the two.
func TestFields(t *testing.T) {
	cmd := exec.Command("go", "test", "./fields")
	cmd.Dir = testsDir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTestRace(t *testing.T) {
	p := tryCommand(t, testsDir, "test", "-dial", "-run", "Serves|Served", "./fields", "./inside", "-race", "-v")
	p.Env = append(p.Env, wantNetring, wantConn)
	p.start(t)
	if status := p.end(t); status != 0 || strings.Count(p.stdout.String(), "--- PASS") != 2 {
		t.Errorf("exit status %d, want 0 and 2 tests:\n%s%s", status, p.stdout.String(), p.stderr.String())
	}
}

// TestTestStats checks that each test binary writes a report, and that no result is cached.
func TestTestStats(t *testing.T) {
	for range 2 {
		dir := t.TempDir()
		p := tryCommand(t, testsDir, "test", "./inside", "./external")
		p.Env = append(p.Env, wantNetring, statsEnv+"="+filepath.Join(dir, "stats.%p"))
		p.start(t)
		if status := p.end(t); status != 0 {
			t.Fatalf("exit status %d\n%s", status, p.stdout.String())
		}
		files, err := filepath.Glob(filepath.Join(dir, "stats.*"))
		if err != nil || len(files) != 2 {
			t.Fatalf("reports: %q, %v; want 2", files, err)
		}
		for _, f := range files {
			if r, _, err := readReport(f); err != nil || r.Listeners != 1 {
				t.Errorf("%s: %+v, %v; want 1 listener", f, r, err)
			}
		}
	}
}

// TestStandardLibrary runs tests of the standard library, which cannot import other modules.
func TestStandardLibrary(t *testing.T) {
	dir := t.TempDir()
	p := tryCommand(t, dir, "test", "-run", "TestRPC|TestServer|TestBuiltinTypes", "net/rpc/...", "net/textproto")
	p.Env = append(p.Env, statsEnv+"="+filepath.Join(dir, "stats.%p"))
	p.start(t)
	status := p.end(t)
	if status != 0 || strings.Count(p.stdout.String(), "ok  \t") != 3 {
		t.Fatalf("exit status %d, want 0 and 3 packages:\n%s%s", status, p.stdout.String(), p.stderr.String())
	}
	files, err := filepath.Glob(filepath.Join(dir, "stats.*"))
	if err != nil {
		t.Fatal(err)
	}
	var listeners int64
	for _, f := range files {
		r, _, err := readReport(f)
		if err != nil {
			t.Fatal(err)
		}
		listeners += r.Listeners
	}
	if listeners == 0 {
		t.Errorf("%d reports count no listener", len(files))
	}
}
