package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/proc"
	"github.com/netring-go/netring/bench/internal/rounds"
)

// bench is one invocation of the command.
type bench struct {
	rounds int
	dur    time.Duration
	impls  []string // the first is the base of the ratios
	idle   int      // connections where there are many idle ones
	out    io.Writer
	stop   <-chan os.Signal
	builds builds
	file   string // for file servers; "": not made yet

	// failed has the failures of the program's own implementations.
	failed []error

	// Of the setting being measured:
	serverCPUs, loadCPUs []int // nil: all
	load                 *child
	servers              map[string]*child // by implementation
	kind                 string            // of the servers
}

// memoryRounds is the most rounds that memory is measured in: it hardly varies.
const memoryRounds = 3

// setting measures all rows that match in one setting.
func (b *bench) setting(name string, match *regexp.Regexp) (ws []*workload, err error) {
	if b.serverCPUs, b.loadCPUs, err = proc.CPUs(name); err != nil {
		return nil, err
	}
	b.servers = map[string]*child{}
	defer func() {
		err = errors.Join(err, b.endServers())
		if b.load != nil {
			err = errors.Join(err, b.load.end())
			b.load = nil
		}
	}()
	fmt.Fprintf(b.out, "## %s: %d rounds of %v, Go %s, %d CPUs\n\n", name, b.rounds, b.dur, runtime.Version()[2:], runtime.NumCPU())
	rateTable.header(b.out)
	for _, r := range rows(b.idle) {
		if !match.MatchString(r.name) {
			continue
		}
		w, err := b.row(r)
		if err != nil {
			return ws, fmt.Errorf("%s: %w", r.name, err)
		}
		w.Setting = name
		ws = append(ws, w)
		if w.Table == tableRate {
			rateTable.rows(b.out, w, b.impls[0])
		}
	}
	writeRest(b.out, ws, b.impls[0])
	return ws, nil
}

// row measures one workload. An implementation that fails has no result.
func (b *bench) row(r row) (*workload, error) {
	w := &workload{Name: r.name, Table: r.table, Unit: r.unit}
	if w.Table == "" {
		w.Table = tableRate
	}
	if w.Unit == "" {
		w.Unit = "request"
	}
	var impls []string
	for _, impl := range b.impls {
		if _, ok := r.serverOf(impl); ok {
			impls = append(impls, impl)
		}
	}
	if err := enoughDescriptors(r); err != nil {
		for _, impl := range impls {
			w.leaveOut(impl, err.Error())
		}
		return w, nil
	}
	if r.server != b.kind {
		if err := b.endServers(); err != nil {
			return w, err
		}
		b.kind = r.server
	}
	n := b.rounds
	if r.table == tableMemory {
		n = min(n, memoryRounds)
	}
	for range n {
		round := map[string]loadResult{}
		w.Rounds = append(w.Rounds, round)
		err := rounds.Round(len(impls), b.stop, func(i int) error {
			impl := impls[i]
			if w.LeftOut[impl] != "" {
				return nil
			}
			res, err := b.turn(r, impl)
			if err != nil {
				w.leaveOut(impl, err.Error())
				b.note(r, impl, err)
				return nil
			}
			round[impl] = res
			return nil
		})
		if err != nil {
			return w, err
		}
	}
	return w, nil
}

// enoughDescriptors says why r cannot run, if it cannot: the runtime of Go has
// raised the limit as far as it may.
func enoughDescriptors(r row) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	if need := r.descriptors(); limit.Cur < need {
		return fmt.Errorf("a process needs %d file descriptors and may have %d (RLIMIT_NOFILE)", need, limit.Cur)
	}
	return nil
}

// note remembers a failure of one of the program's own implementations. That
// io_uring is refused, as in most containers, is none.
func (b *bench) note(r row, impl string, err error) {
	name, _, _ := strings.Cut(impl, "+")
	if own := []string{"net", "uring", "syscall"}; !slices.Contains(own, name) {
		return
	}
	if name == "uring" && errors.Is(err, errNotStarted) {
		return
	}
	b.failed = append(b.failed, fmt.Errorf("%s: %s: %w", r.name, impl, err))
}

// turn gives impl one turn.
func (b *bench) turn(r row, impl string) (res loadResult, err error) {
	if b.load == nil {
		cmd, err := proc.Self("load")
		if err != nil {
			return res, err
		}
		if b.load, err = start(cmd, b.loadCPUs); err != nil {
			return res, err
		}
	}
	server, err := b.server(r, impl)
	if err != nil {
		return res, err
	}
	job := r.job
	job.Warmup, job.Duration = b.dur/10, b.dur
	res, err = turn(b.load, server, job)
	if errors.Is(err, errLoad) {
		err = b.load.abort(err)
		b.load = nil
	}
	if err != nil {
		delete(b.servers, impl)
		return res, server.abort(err)
	}
	if b.keeps(r, impl) {
		return res, nil
	}
	delete(b.servers, impl)
	return res, server.end()
}

// keeps says whether impl's server goes on between turns. Those of peers do not:
// some use CPU time while there is nothing to do, which is their own affair.
func (b *bench) keeps(r row, impl string) bool { return !r.fresh && peers[impl] == nil }

// server returns the server of impl for r.
func (b *bench) server(r row, impl string) (*child, error) {
	if p := b.servers[impl]; p != nil {
		return p, nil
	}
	cmd, err := b.command(r, impl)
	if err != nil {
		return nil, err
	}
	p, err := startServer(cmd, b.serverCPUs)
	if err != nil {
		return nil, err
	}
	b.servers[impl] = p
	return p, nil
}

// command returns the command of impl's server for r. It builds the program if
// that is not this one.
func (b *bench) command(r row, impl string) (*exec.Cmd, error) {
	kind, _ := r.serverOf(impl)
	if impl == implC {
		exe, err := b.builds.c()
		return exec.Command(exe), err
	}
	if peers[impl] != nil {
		exe, err := b.builds.peer(impl)
		return exec.Command(exe, kind), err
	}
	var args []string
	if kind == serverFile {
		if b.file == "" {
			var err error
			if b.file, err = makeFile(); err != nil {
				b.file = ""
				return nil, err
			}
		}
		args = []string{"-file", b.file}
	}
	return proc.Self("server/"+impl+"/"+kind, args...)
}

// close removes what b made.
func (b *bench) close() error {
	err := b.builds.close()
	if b.file != "" {
		err = errors.Join(err, os.Remove(b.file))
	}
	return err
}

func (b *bench) endServers() error {
	var errs []error
	for impl, p := range b.servers {
		if err := p.end(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", impl, err))
		}
	}
	clear(b.servers)
	return errors.Join(errs...)
}
