package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netring-go/netring/bench/internal/child"
	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/report"
	"github.com/netring-go/netring/bench/internal/server"
	"github.com/netring-go/netring/bench/modes"
)

// TestMain lets the test binary be the child processes that a bench starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-child" {
		main()
		return
	}
	// Under the race detector, each child would sleep for a second before it exits.
	if err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=10"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// measure returns the rows that the arguments ask for, and a bench for very short turns.
func measure(t *testing.T, args ...string) ([]row, *bench) {
	t.Helper()
	o := &options{}
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == args[0] })
	f := commands[i].flags(o, io.Discard)
	args = append([]string{"-rounds", "1", "-d", "20ms"}, args[1:]...)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	rows, err := commands[i].plan(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &bench{ctx: ctx, rounds: o.rounds, dur: o.dur, builds: builds{peerDir: "peers"}, progress: newProgress(io.Discard, 0, 0)}
	t.Cleanup(func() {
		cancel()
		if err := b.builds.close(); err != nil {
			t.Error(err)
		}
	})
	return rows, b
}

// refused reports whether a server was left out because the system lacks or refuses something.
func refused(t *testing.T, e entrant, reason string) bool {
	_, noGCC := exec.LookPath("gcc")
	switch {
	case strings.HasPrefix(e.cfg.Stack, "uring") && strings.Contains(reason, child.ErrNotStarted.Error()), strings.HasPrefix(reason, modes.Refused):
		t.Logf("io_uring is refused here: %s", reason)
		return true
	}
	return e.program == programC && noGCC != nil && strings.Contains(reason, "not built")
}

// TestEveryRow runs every row of every command briefly with every server. The load generator
// checks the answers.
func TestEveryRow(t *testing.T) {
	for _, args := range [][]string{
		{"compare", "-settings", "shared", "-idle", "200"}, {"seccomp", "-settings", "shared"},
		{"modes", "-settings", "shared", "-conns", "8"}, {"scaling"},
	} {
		t.Run(args[0], func(t *testing.T) {
			rows, b := measure(t, args...)
			if args[0] == "scaling" { // the setting makes no difference to this test
				for i := range rows {
					rows[i].setting, rows[i].job.Idle = child.Shared, min(rows[i].job.Idle, 200)
				}
			}
			if args[0] == "modes" {
				b.rounds = 2 // the second reuses the indexes of connections
			}
			if err := b.measure(rows, false); err != nil || b.failed != nil {
				t.Fatal(err, b.failed)
			}
			for i, w := range b.results.Workloads {
				for _, e := range rows[i].servers {
					res, has := w.Rounds[0][e.name]
					bad := res.P50 <= 0 || res.P99 < res.P50 || res.CPU < 0 || res.Elapsed < b.dur/2
					switch w.Table {
					case report.TableReactor:
						bad = res.Heap <= 0 || res.Descriptors < moreReactors
					case report.TableMemory, report.TableHeap:
						bad = res.Resident <= 0 || res.Goroutines < res.Requests/2
					case report.TableFairness:
						bad = bad || res.AloneP99 <= 0 || res.FloodBytes <= 0
					case report.TableLoops, report.TableAccepts:
						bad = bad || e.cfg.Stack == "uring" && res.Ops == 0
					}
					if reason := w.LeftOut[e.name]; reason != "" && refused(t, e, reason) {
						continue
					} else if reason != "" || !has || res.Requests <= 0 || bad {
						t.Errorf("%s: %s: %+v, left out: %q", w.Name, e.name, res, reason)
					}
				}
			}
			var out strings.Builder
			report.Printer{Out: &out}.Workloads(b.results.Workloads)
			for _, w := range b.results.Workloads {
				if !strings.Contains(out.String(), w.Name) {
					t.Errorf("%s is not in the tables:\n%s", w.Name, out.String())
				}
			}
		})
	}
}

// coalesced matches the rows where a write buffer can matter.
var coalesced = regexp.MustCompile(`pipelined|broadcast|with timeouts|JSON|WebSocket|relay|what net can do`)

// TestApplies checks which servers take part in which rows of compare.
func TestApplies(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range workloads(1234) {
		if seen[w.name] {
			t.Errorf("two workloads are called %s", w.name)
		}
		seen[w.name] = true
		if many := w.job.Idle > 0; many != strings.Contains(w.name, "1234") {
			t.Errorf("%s has %d idle connections", w.name, w.job.Idle)
		}
		for server, want := range map[string]bool{
			"net": true, "syscall+seccomp": true, "uring+lease": strings.HasPrefix(w.name, "1234 idle"),
			"uring+cw": coalesced.MatchString(w.name), "gnet": strings.Contains(w.name, "echo") && !strings.HasPrefix(w.name, "WebSocket"),
		} {
			if _, ok := w.entrant(server); ok != want {
				t.Errorf("%s: %s applies: %v", w.name, server, ok)
			}
		}
	}
	for _, name := range report.Overview() {
		if !seen[name] {
			t.Errorf("the chart's workload %q is unknown", name)
		}
	}
}

// TestLeftOut runs a row with one server that works, and others that cannot be built or started.
func TestLeftOut(t *testing.T) {
	t.Setenv("PATH", "") // without a compiler
	rows, b := measure(t, "compare", "-settings", "shared", "-rows", "^echo 128 B, 64 conns$", "-impls", "net,c-epoll", "-peers")
	b.builds.peerDir = t.TempDir() // without a module
	nonsense := rows[0].servers[0]
	nonsense.name, nonsense.cfg.Stack = "nonsense", "nonsense"
	rows[0].servers = append(rows[0].servers[:3], nonsense)
	if err := b.measure(rows, false); err != nil || b.failed == nil || !strings.Contains(b.failed.Error(), "nonsense") {
		t.Fatalf("%v, failed: %v", err, b.failed)
	}
	w := b.results.Workloads[0]
	if w.Rounds[0]["net"].Requests == 0 || len(w.Rounds[0]) != 1 {
		t.Errorf("results %+v", w.Rounds)
	}
	for server, want := range map[string]string{
		"gnet": "was not built: ", "c-epoll": "was not built: ", "nonsense": `did not start: exit status 1: bench: the stack is "nonsense"; use net, uring or syscall`,
	} {
		if got := w.LeftOut[server]; !strings.HasPrefix(got, want) {
			t.Errorf("%s was left out with %q, want %q", server, got, want)
		}
	}
	rows[0].job.Idle = 1 << 30
	if err := b.measure(rows, false); err != nil || !strings.Contains(b.results.Workloads[1].LeftOut["net"], "RLIMIT_NOFILE") {
		t.Errorf("2^30 connections: %v, %q", err, b.results.Workloads[1].LeftOut)
	}
}

// TestManyConnections opens more connections than a server of package modes accepts. The server
// serves the last one after another is closed.
func TestManyConnections(t *testing.T) {
	cfg := server.Config{Kind: server.Mode, Mode: "loop/multishot-ring, unlocked"}
	s, err := child.StartServer(exec.Command(child.Self, "-child", cfg.String()), child.AllCPUs)
	if err != nil {
		t.Fatal(err)
	}
	defer s.End() // fails if the kernel refuses io_uring
	one := load.Job{Kind: load.Raw, Port: s.Port, PID: s.PID, Conns: 1, Duration: time.Millisecond}
	if _, err := one.Run(); err != nil {
		t.Skipf("io_uring is refused here: %v", err)
	}
	var held []net.Conn
	for range modes.MaxConns {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
		if err != nil {
			t.Skipf("%d connections: %v", modes.MaxConns, err) // probably RLIMIT_NOFILE
		}
		defer c.Close()
		held = append(held, c)
	}
	served := make(chan error, 1)
	go func() {
		_, err := one.Run()
		served <- err
	}()
	select {
	case err := <-served:
		t.Fatalf("served beyond %d connections: %v", modes.MaxConns, err)
	case <-time.After(50 * time.Millisecond):
	}
	held[0].Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestPeer builds and runs a peer's server, if the module cache has its modules.
func TestPeer(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	rows, b := measure(t, "compare", "-settings", "shared", "-rows", "^(HTTP, 16 conns|echo 128 B, 32 conns)$", "-impls", "net,nbio")
	if err := b.measure(rows, false); err != nil || len(b.results.Workloads) != 2 {
		t.Fatalf("%v, %d workloads", err, len(b.results.Workloads))
	}
	for _, w := range b.results.Workloads {
		switch reason := w.LeftOut["nbio"]; {
		case strings.HasPrefix(reason, "was not built"):
			t.Skip(reason)
		case reason != "" || w.Rounds[0]["nbio"].Requests == 0:
			t.Errorf("%s: %+v, left out: %s", w.Name, w.Rounds, reason)
		}
	}
}

// TestCommand runs commands with the arguments of users.
func TestCommand(t *testing.T) {
	var out, errs strings.Builder
	if err := runCommand([]string{"-rounds", "1", "-d", "20ms", "-rows", "^HTTP, 1 conns$", "-settings", "shared", "-impls", "net", "-md"}, &out, &errs); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "| net | ") || strings.Contains(errs.String(), "| net | ") {
		t.Errorf("printed\n%s\nand\n%s", out.String(), errs.String())
	}
	for _, c := range commands {
		out.Reset()
		if err := runCommand([]string{c.name, "-h"}, io.Discard, &out); err != nil || !strings.Contains(out.String(), "It takes about ") {
			t.Errorf("%s -h: %v\n%s", c.name, err, out.String())
		}
		o := &options{quick: true, settings: "one-core,shared", conns: 64, impls: strings.Join(ownServers, ",")}
		rows, err := c.plan(o)
		if _, takes := turns(rows, o); err != nil || takes > quickTime*9/10 {
			t.Errorf("%s -quick: %v, takes about %v", c.name, err, takes)
		}
	}
	for _, bad := range [][]string{{"nonsense"}, {"modes", "nonsense"}, {"-rounds", "0"}, {"-impls", "net,net"}, {"-rows", "nonsense"}, {"-rows", "("}} {
		if err := runCommand(bad, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestTimeUp ends a measurement after its first turns.
func TestTimeUp(t *testing.T) {
	rows, b := measure(t, "compare", "-settings", "shared", "-rows", "^HTTP, .* conns$", "-impls", "net")
	var cancel context.CancelFunc
	b.ctx, cancel = context.WithTimeoutCause(b.ctx, 30*time.Millisecond, errTimeUp)
	defer cancel()
	if err := b.measure(rows, false); !errors.Is(err, errTimeUp) || len(b.results.Workloads) == len(rows) {
		t.Errorf("%v after %d of %d rows", err, len(b.results.Workloads), len(rows))
	}
}
