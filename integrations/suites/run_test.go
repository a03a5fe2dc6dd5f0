package main

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCommand(t *testing.T) {
	m := &machine{try: "netring-try", stats: "stats"}
	s := suite{name: "rec", module: "example.org/rec@v1.0.0", packages: []string{"./a", "./b"}, flags: []string{"-run", "^TestX", "-short"}}
	std := suite{name: "net/rpc", packages: []string{"net/rpc"}}
	for _, tt := range []struct {
		j         job
		args, env string
	}{
		{job{suite: s, column: columns[0], packages: s.packages, timeout: time.Minute},
			"go test -json -vet=off -count=1 -timeout=1m0s -mod=mod -run ^TestX -short ./a ./b", ""},
		{job{suite: s, column: columns[1], packages: []string{"./a"}, only: []string{"Test/A.B"}, timeout: time.Minute},
			`netring-try test -dial -json -vet=off -count=1 -timeout=1m0s -mod=mod -run=^Test$/^A\.B$ -short ./a`, "NETRING_ENGINE=uring"},
		{job{suite: std, column: columns[4], packages: std.packages, skip: []string{"TestA", "TestB"}, timeout: time.Second},
			"netring-try test -deep -json -vet=off -count=1 -timeout=1s -skip=^TestA$|^TestB$ net/rpc", "NETRING_ENGINE=syscall"},
		{job{suite: std, column: columns[2], packages: std.packages, timeout: time.Second, stats: true},
			"netring-try test -dial -json -vet=off -count=1 -timeout=1s net/rpc", "NETRING_ENGINE=syscall NETRING_TRY_STATS=stats/%p.json"},
	} {
		args, env := m.command(tt.j)
		if got := strings.Join(args, " "); got != tt.args {
			t.Errorf("the command is\n%s, want\n%s", got, tt.args)
		}
		if got := strings.Join(env, " "); got != tt.env {
			t.Errorf("the environment of %s is %q, want %q", tt.args, got, tt.env)
		}
	}
}

// Settings for netring do not reach the column of package net.
func TestPlainEnviron(t *testing.T) {
	t.Setenv("NETRING_ENGINE", "uring")
	t.Setenv("NETRING_TRY_STATS", "file")
	t.Setenv("NETRING_DEEP_STATS", "1")
	t.Setenv("NETRING_SUITES_TEST", "kept")
	env := plainEnviron()
	if !slices.Contains(env, "NETRING_SUITES_TEST=kept") || !slices.Contains(env, "GOWORK=off") {
		t.Errorf("the environment lacks variables: %q", env)
	}
	for _, v := range env {
		if strings.HasPrefix(v, "NETRING_") && v != "NETRING_SUITES_TEST=kept" && !strings.HasPrefix(v, "NETRING_SUITES_CACHE=") {
			t.Errorf("the environment has %s", v)
		}
	}
}

func TestMachineServed(t *testing.T) {
	m := &machine{stats: t.TempDir()}
	for name, text := range map[string]string{"1.json": `{"pid": 1, "listeners": 2, "dials": 3}`, "2.json": `{"listeners": 1, "dials": 1}`} {
		if err := os.WriteFile(filepath.Join(m.stats, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []served{{3, 4}, {}} {
		if got, err := m.served(); err != nil || got != want {
			t.Errorf("served returns %+v, %v, want %+v", got, err, want)
		}
	}
}

const recTests = `package rec

import (
	"os"
	"testing"
)

func TestPass(t *testing.T) {}

func TestSkip(t *testing.T) { t.Skip("skipped") }

func TestFail(t *testing.T) { t.Error("failed") }

func TestOnce(t *testing.T) {
	f, err := os.OpenFile("once", os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return
	}
	f.Close()
	t.Error("failed the first time")
}

func TestPanic(t *testing.T) {
	go func() { panic("in another goroutine") }()
	select {}
}

func TestLast(t *testing.T) {}
`

// The whole way, with the go command itself.
func TestMachine(t *testing.T) {
	m := &machine{cache: t.TempDir(), stats: t.TempDir()}
	dir := filepath.Join(m.cache, "mod", "example.org-rec@v1.0.0") // a copy that is there already
	for name, text := range map[string]string{
		filepath.Join(dir, "go.mod"):                 "module example.org/rec\n\ngo 1.25\n",
		filepath.Join(dir, "rec_test.go"):            recTests,
		filepath.Join(m.cache, "log", "placeholder"): "",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	s := suite{name: "rec", module: "example.org/rec@v1.0.0", packages: []string{"."}, timeout: time.Minute}
	got, err := runSuite(context.Background(), m, s, columns[:1], nil, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	want := &result{Tests: 5, Skipped: []string{"TestSkip"},
		Failed: []outcome{{"TestFail", 4, 4}, {"TestPanic", 4, 4}}, Unsteady: []outcome{{"TestOnce", 4, 1}}}
	if !reflect.DeepEqual(got["net"], want) {
		t.Errorf("the result is %+v, want %+v", got["net"], want)
	}
}

func TestChosen(t *testing.T) {
	name := func(c column) string { return c.name }
	if got, err := chosen(columns, []string{"ring", "net"}, name, "column"); err != nil || len(got) != 2 || got[0].name != columnNet {
		t.Errorf("chosen returns %v, %v", got, err)
	}
	if got, err := chosen(columns, nil, name, "column"); err != nil || len(got) != len(columns) {
		t.Errorf("chosen returns %v, %v", got, err)
	}
	if _, err := chosen(columns, []string{"rings"}, name, "column"); err == nil || !strings.Contains(err.Error(), `no column "rings"`) {
		t.Errorf("the error is %v", err)
	}
}
