package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// TestMain lets the test binary be the child processes that a bench starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		main()
		return
	}
	// Under the race detector, each child would sleep for a second before it exits.
	if err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=10"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// ownImpls are the implementations of this program, and the one in C.
var ownImpls = []string{"net", "uring", "syscall", "uring+cw", "syscall+cw", "uring+lease", "syscall+lease", "c-epoll"}

// testBench returns a bench for very short turns.
func testBench(t *testing.T, out *bytes.Buffer, impls ...string) *bench {
	t.Helper()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	b := &bench{
		rounds: 1, dur: 20 * time.Millisecond, impls: impls, idle: 200, out: out, stop: stop,
		builds: builds{peerDir: "peers"},
	}
	t.Cleanup(func() {
		signal.Stop(stop)
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestEveryRow runs every workload for a moment against every implementation that
// it applies to: the load generator checks the answers.
func TestEveryRow(t *testing.T) {
	var out bytes.Buffer
	b := testBench(t, &out, ownImpls...)
	ws, err := b.setting("shared", regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	_, noGCC := exec.LookPath("gcc")
	for i, r := range rows(b.idle) {
		w := ws[i]
		for _, impl := range ownImpls {
			_, applies := r.serverOf(impl)
			res, has := w.Rounds[0][impl]
			switch reason := w.LeftOut[impl]; {
			case !applies:
				if has || reason != "" {
					t.Errorf("%s: %s has a result or a reason (%s), though it does not apply", r.name, impl, reason)
				}
			case impl == implC && noGCC != nil && strings.Contains(reason, "not built"):
			case strings.HasPrefix(impl, "uring") && strings.Contains(reason, errNotStarted.Error()):
				t.Logf("io_uring is refused here: %s", reason)
			case reason != "" || !has:
				t.Errorf("%s: %s was left out: %s", r.name, impl, reason)
			case res.Requests <= 0 || res.Elapsed <= 0:
				t.Errorf("%s: %s: %+v", r.name, impl, res)
			case w.Table != tableMemory && (res.P50 <= 0 || res.P99 < res.P50):
				t.Errorf("%s: %s: latencies of %+v", r.name, impl, res)
			case w.Table == tableMemory && res.RSSAfter <= res.RSSBefore:
				t.Errorf("%s: %s: memory of %+v", r.name, impl, res)
			case w.Table == tableFairness && (res.AloneP99 <= 0 || res.FloodBytes <= 0):
				t.Errorf("%s: %s: flood of %+v", r.name, impl, res)
			}
		}
		if !strings.Contains(out.String(), "| "+r.name+" |") {
			t.Errorf("%s is not in the tables", r.name)
		}
	}
}

// TestLoadGeneratorCounts runs a job against a server whose CPU time is known to
// grow.
func TestLoadGeneratorCounts(t *testing.T) {
	var out bytes.Buffer
	b := testBench(t, &out, "net")
	b.dur = 50 * time.Millisecond
	ws, err := b.setting("shared", regexp.MustCompile("^HTTP, 16 conns$"))
	if err != nil || len(ws) != 1 || len(ws[0].LeftOut) > 0 {
		t.Fatalf("%v, %+v", err, ws)
	}
	res := ws[0].Rounds[0]["net"]
	if res.Requests < 10 || res.CPU <= 0 || res.P50 <= 0 || res.P99 < res.P50 ||
		res.Elapsed < b.dur || res.Elapsed > b.dur+load.NoAnswer {
		t.Errorf("%+v", res)
	}
}

// TestLeftOut runs a row with servers that cannot be built, do not start and are
// not there, beside one that works.
func TestLeftOut(t *testing.T) {
	var out bytes.Buffer
	b := testBench(t, &out, "net", "gnet", "nonsense", "c-epoll")
	b.builds.peerDir = t.TempDir() // without a module
	t.Setenv("PATH", "")           // without a compiler
	ws, err := b.setting("shared", regexp.MustCompile("^echo 128 B, 64 conns$"))
	if err != nil {
		t.Fatal(err)
	}
	w := ws[0]
	if w.Rounds[0]["net"].Requests == 0 || len(w.Rounds[0]) != 1 {
		t.Errorf("results %+v", w.Rounds)
	}
	for impl, want := range map[string]string{
		"gnet": "was not built: stat ", "nonsense": `did not start: exit status 1: bench: server/nonsense/echo: unknown implementation "nonsense"`,
		"c-epoll": "was not built: exec: ",
	} {
		if got := w.LeftOut[impl]; !strings.HasPrefix(got, want) || !strings.Contains(out.String(), "- "+impl+" (echo 128 B, 64 conns): "+want) {
			t.Errorf("%s was left out with %q, want %q, in\n%s", impl, got, want, out.String())
		}
	}
	r := rows(1 << 40)
	if err := enoughDescriptors(r[len(r)-1]); err == nil || !strings.Contains(err.Error(), "RLIMIT_NOFILE") {
		t.Errorf("2^40 connections: %v", err)
	}
}

// TestPeer builds a peer's server, if its modules are in the module cache, and
// runs it.
func TestPeer(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	var out bytes.Buffer
	b := testBench(t, &out, "net", "nbio")
	ws, err := b.setting("shared", regexp.MustCompile("^(HTTP, 16 conns|echo 128 B, 32 conns)$"))
	if err != nil || len(ws) != 2 {
		t.Fatalf("%v, %d workloads", err, len(ws))
	}
	for _, w := range ws {
		switch reason := w.LeftOut["nbio"]; {
		case strings.HasPrefix(reason, "was not built"):
			t.Skip(reason)
		case reason != "" || w.Rounds[0]["nbio"].Requests == 0:
			t.Errorf("%s: %+v, left out: %s", w.Name, w.Rounds, reason)
		}
	}
}
