package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/child"
	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/report"
	"github.com/netring-go/netring/bench/internal/server"
	"github.com/netring-go/netring/bench/modes"
)

// row is a workload in one setting, with the servers that take turns.
type row struct {
	setting, section, name string
	table                  string // TableRate if empty
	job                    load.Job
	servers                []entrant
	bases                  []string // of the ratios; nil: the first server
	fresh                  bool     // each turn has its own server process
	share                  float64  // of what the first server can do: the job's Rate; 0: as job says
}

// entrant is a server of a row.
type entrant struct {
	name    string
	cfg     server.Config
	program string // the name of another program, whose argument is cfg.Kind
	variant string // of this program: a revision or assignments
}

const (
	turnTimeout  = 60 * time.Second // of a turn, beside its length: mostly for making connections
	memoryRounds = 3                // the most rounds that measure memory, which hardly varies
	holdFirst    = 64               // connections before memory is first measured: the server then has what it allocates once
	moreReactors = 64               // reactors that are made at once, to measure one
)

// rounds returns how many rounds r has where most rows have n.
func (r row) rounds(n int) int {
	if r.job.Kind == load.Hold {
		return min(n, memoryRounds)
	}
	return n
}

// turns returns the number of turns of the rows and their approximate duration.
func turns(rows []row, o *options) (count int, takes time.Duration) {
	const overhead, connecting = 40 * time.Millisecond, 60 * time.Microsecond
	for _, r := range rows {
		c := r.rounds(o.rounds) * len(r.servers)
		if o.calls {
			c += len(r.servers)
		}
		each := o.dur*11/10 + overhead + time.Duration(r.job.Conns+r.job.Idle)*connecting
		if r.fresh {
			each += overhead
		}
		count += c
		takes += time.Duration(c) * each
	}
	return count, takes
}

// inSettings returns the rows in each of the comma-separated settings.
func inSettings(settings string, rows []row) (all []row) {
	for s := range strings.SplitSeq(settings, ",") {
		for _, r := range rows {
			r.setting = s
			all = append(all, r)
		}
	}
	return all
}

// bench runs servers and the load generator, and collects results.
type bench struct {
	ctx      context.Context // its end prevents further turns
	rounds   int
	dur      time.Duration
	builds   builds
	progress *progress
	results  report.Results
	failed   error // of the program's own servers

	// Of the current setting:
	setting            string
	serverCPU, loadCPU int
	load               *child.Child

	servers map[string]*child.Child // of the current row, by name
}

// measure measures the rows. With calls, an additional round counts the servers' system calls. If
// the context ends, measure returns the cause; b.results has the results so far.
func (b *bench) measure(rows []row, calls bool) (err error) {
	defer func() { err = errors.Join(err, b.endLoad()) }()
	for _, r := range rows {
		if err := b.row(r, calls); err != nil {
			return fmt.Errorf("%s: %s: %w", r.setting, r.name, err)
		}
	}
	return nil
}

func (b *bench) row(r row, calls bool) (err error) {
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	w := &report.Workload{Setting: r.setting, Section: r.section, Name: r.name, Table: cmp.Or(r.table, report.TableRate), Bases: r.bases}
	b.results.Workloads = append(b.results.Workloads, w)
	for _, e := range r.servers {
		w.Servers = append(w.Servers, e.name)
	}
	if w.Bases == nil {
		w.Bases = w.Servers[:1]
	}
	if r.setting != b.setting {
		b.setting = r.setting
		b.serverCPU, b.loadCPU, err = child.CPUs(r.setting)
		if err = errors.Join(err, b.endLoad()); err != nil {
			return err
		}
	}
	// Go's runtime has raised the limit of descriptors to its maximum.
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	if need := uint64(r.job.Conns+r.job.Idle) + 128; limit.Cur < need {
		for _, e := range r.servers {
			w.LeaveOut(e.name, fmt.Sprintf("RLIMIT_NOFILE is %d; use at least %d", limit.Cur, need))
		}
	}
	b.servers = map[string]*child.Child{}
	defer func() {
		for name, s := range b.servers {
			if endErr := s.End(); endErr != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", name, endErr))
			}
		}
	}()
	if r.share > 0 {
		if r.job.Rate, err = b.rateOf(r); err != nil {
			return err
		}
	}
	for n := range r.rounds(b.rounds) {
		w.Rounds = append(w.Rounds, map[string]report.Result{})
		if err := b.round(r, w, fmt.Sprintf("round %d", n+1), b.turn); err != nil {
			return err
		}
	}
	if calls {
		return b.round(r, w, "system calls", b.countCalls)
	}
	return nil
}

// rateOf returns the Rate of r's job: a share of what the first server answers when each
// connection always has a request under way.
func (b *bench) rateOf(r row) (int, error) {
	const turns = 3
	var rates []float64
	job := r.job
	job.Warmup, job.Duration = b.dur/10, b.dur
	for range turns {
		s, err := b.server(r.servers[0])
		if err != nil {
			return 0, err
		}
		res, err := b.run(s, job)
		if err != nil {
			return 0, err
		}
		rates = append(rates, float64(res.Requests)/res.Elapsed.Seconds())
	}
	return max(int(report.Summarize(rates).Median*r.share), 1), nil
}

// round gives each server a turn, in random order, and puts the results into the last round of w.
// It leaves out a server that fails.
func (b *bench) round(r row, w *report.Workload, what string, turn func(row, entrant, *report.Result) error) error {
	last := w.Rounds[len(w.Rounds)-1]
	for _, i := range rand.Perm(len(r.servers)) {
		if b.ctx.Err() != nil {
			return context.Cause(b.ctx)
		}
		e := r.servers[i]
		b.progress.turn(fmt.Sprintf("%s: %s, %s, %s", r.setting, r.name, e.name, what))
		if w.LeftOut[e.name] != "" {
			continue
		}
		res := last[e.name]
		err := turn(r, e, &res)
		if err == nil {
			last[e.name] = res
			continue
		}
		if b.ctx.Err() != nil {
			return context.Cause(b.ctx) // which may have caused err
		}
		// A kernel that refuses io_uring, as in most containers, is no failure.
		if _, why, ok := strings.Cut(err.Error(), modes.Refused); ok {
			w.LeaveOut(e.name, modes.Refused+why)
			continue
		}
		w.LeaveOut(e.name, err.Error())
		if e.program == "" && !(e.cfg.Stack == "uring" && errors.Is(err, child.ErrNotStarted)) {
			b.failed = errors.Join(b.failed, fmt.Errorf("%s: %s: %s was left out; see the reason below its table", r.setting, r.name, e.name))
		}
	}
	return nil
}

func (b *bench) turn(r row, e entrant, res *report.Result) error {
	s, err := b.server(e)
	if err != nil {
		return err
	}
	job := r.job
	job.Warmup, job.Duration = b.dur/10, b.dur
	counts, memory := server.SnapshotRequest{}, server.SnapshotRequest{Memory: true}
	run := func() (err error) {
		res.Result, err = b.run(s, job)
		return err
	}
	switch {
	case r.table == report.TableReactor:
		err = between(s, memory, res, func() error {
			res.Requests = moreReactors
			_, err := child.Ask[report.Counters](s, turnTimeout, server.SnapshotRequest{Reactors: moreReactors})
			return err
		})
	case job.Kind == load.Hold:
		first := job
		first.Idle, job.Keep = holdFirst, true
		if _, err = b.run(s, first); err == nil {
			err = between(s, memory, res, run)
		}
	case r.table == report.TableLoops || r.table == report.TableAccepts:
		err = between(s, counts, res, run)
	default:
		err = run()
	}
	if err != nil {
		delete(b.servers, e.name)
		return s.Abort(err)
	}
	// Peers' servers end after each turn: some use CPU time while they are idle.
	if r.fresh || e.program != "" && e.program != programC {
		delete(b.servers, e.name)
		return s.End()
	}
	return nil
}

// between takes snapshots before and after do, and puts their difference into res.
func between(s *child.Child, look server.SnapshotRequest, res *report.Result, do func() error) error {
	before, err := child.Ask[report.Counters](s, turnTimeout, look)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := child.Ask[report.Counters](s, turnTimeout, look)
	if err != nil {
		return err
	}
	res.Counters = after.Sub(before)
	return nil
}

func (b *bench) run(s *child.Child, job load.Job) (res load.Result, err error) {
	if b.load == nil {
		if b.load, err = child.Start(exec.Command(child.Self, "-child", "load"), b.loadCPU); err != nil {
			return res, err
		}
	}
	job.Port, job.PID = s.Port, s.PID
	res, err = child.Ask[load.Result](b.load, turnTimeout+job.Warmup+job.Duration, job)
	if errors.Is(err, child.ErrBroken) {
		err = fmt.Errorf("the load generator: %w", b.load.Abort(err))
		b.load = nil
	}
	return res, err
}

// server returns the process of e. It builds and starts the program if necessary.
func (b *bench) server(e entrant) (s *child.Child, err error) {
	if s := b.servers[e.name]; s != nil {
		return s, nil
	}
	cfg := e.cfg
	if cfg.Kind == server.File {
		if cfg.File, err = b.builds.file(); err != nil {
			return nil, err
		}
	}
	if cfg.Kind == server.Relay {
		if cfg.Backend, err = b.backendPort(); err != nil {
			return nil, err
		}
	}
	exe, args := child.Self, []string{"-child", cfg.String()}
	switch {
	case e.variant != "":
		exe, err = b.builds.variant(b.ctx, e.variant)
	case e.program != "":
		exe, err = b.builds.program(b.ctx, e.program)
		args = []string{cfg.Kind}
	}
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, args...)
	if s, err = child.StartServer(cmd, b.serverCPU); err == nil {
		b.servers[e.name] = s
	}
	return s, err
}

// backend is the name of the server behind the servers of a row.
const backend = "the backend"

// backendPort returns the port of an echo server, which runs where the load generator does.
func (b *bench) backendPort() (int, error) {
	if s := b.servers[backend]; s != nil {
		return s.Port, nil
	}
	cfg := server.Config{Kind: server.Echo, Stack: "syscall"}
	s, err := child.StartServer(exec.Command(child.Self, "-child", cfg.String()), b.loadCPU)
	if err != nil {
		return 0, err
	}
	b.servers[backend] = s
	return s.Port, nil
}

func (b *bench) endLoad() (err error) {
	if b.load != nil {
		err = b.load.End()
		b.load = nil
	}
	return err
}

// countCalls gives e an additional turn, in which perf counts its system calls. It leaves res
// unchanged if perf is missing or the kernel refuses to count.
func (b *bench) countCalls(r row, e entrant, res *report.Result) error {
	s, err := b.server(e)
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd := exec.Command("perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", strconv.Itoa(s.PID))
	cmd.Stderr = &said
	if cmd.Start() != nil {
		return nil
	}
	time.Sleep(200 * time.Millisecond) // until perf has attached
	job := r.job
	job.Duration = b.dur
	turn, err := b.run(s, job)
	_ = cmd.Process.Signal(os.Interrupt) // fails if perf could not count and exited
	_ = cmd.Wait()                       // returns the signal as an error
	count, rest, _ := strings.Cut(said.String(), ",")
	if n, notNumber := strconv.ParseInt(count, 10, 64); notNumber == nil && strings.Contains(rest, "raw_syscalls:sys_enter") {
		res.Calls, res.CallsOf = n, turn.Requests
	}
	return err
}
