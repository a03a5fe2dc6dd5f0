// Bench compares netring with package net. It has four commands:
//
//	go run . compare    # netring, package net, a loop in C and other libraries
//	go run . modes      # the ways in which io_uring can run a server
//	go run . scaling    # how cost grows with connections, reactors and listeners
//	go run . seccomp    # what a container's seccomp filter costs
//
// "go run ." is compare. With -h, each command says how long it takes; with -quick, it
// ends within a minute and prints rough figures. A long run can be made in pieces:
//
//	go run . compare -settings one-core -json a.json
//	go run . compare -settings shared -json b.json
//	go run . compare -render a.json,b.json    # writes RESULTS.md, results.json and charts/
//
// Compare also takes variants of its own servers: built with other values of the constants
// in reactor/tuning.go, or from a git revision of this repository.
//
//	go run . compare -impls uring,uring@maxEvents=64,uring@c730e61 -rows 'HTTP, (16|64|256) conns'
//
// Each server is a child process. The load generator, another child, drives one server
// at a time. The machine's speed drifts, so only turns of the same round compare: in
// every round each server gets one turn, in random order, and a ratio is the median of
// the rounds' ratios.
//
// A server that cannot be built, does not start or answers wrongly is left out of the
// row, and the reason is printed after the tables. If the server is this program's own,
// the command fails in the end, unless the kernel refuses io_uring.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/report"
	"github.com/netring-go/netring/bench/internal/server"
	"github.com/netring-go/netring/bench/modes"
)

// options are the flags.
type options struct {
	quick, markdown, report, peers bool
	rounds, idle, conns            int
	dur                            time.Duration
	impls, settings, match         string
	json, render                   string

	re    *regexp.Regexp // of match
	only  []string       // the only rows, if there are any here
	calls bool           // count system calls in a further round
}

// wants says whether the row, server or section of that name was asked for.
func (o *options) wants(name string) bool {
	return o.re.MatchString(name) && (o.only == nil || slices.Contains(o.only, name))
}

// command is what the first argument chooses.
type command struct {
	name, does string
	rounds     int           // by default
	dur, quick time.Duration // of a turn, by default and with -quick
	matches    string        // what its flag for a regexp is called, and what that matches
	rows       func(o *options) ([]row, error)
}

var commands = []command{
	{"compare", "measures netring beside package net, and with -peers beside other libraries.",
		9, 400 * time.Millisecond, 100 * time.Millisecond, "rows", compare},
	{"modes", "measures the ways in which io_uring can run a small HTTP server.",
		9, 400 * time.Millisecond, 50 * time.Millisecond, "servers", compareModes},
	{"scaling", "measures how cost grows with connections, reactors and listeners.",
		3, 200 * time.Millisecond, 100 * time.Millisecond, "sections", scaling},
	{"seccomp", "measures servers behind a seccomp filter like a container's, beside the same without.",
		9, 400 * time.Millisecond, 100 * time.Millisecond, "rows", seccomp},
}

// flags defines the command's flags.
func (c command) flags(o *options, out io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet(c.name, flag.ContinueOnError)
	f.SetOutput(out)
	f.BoolVar(&o.quick, "quick", false, "fewer and shorter turns: less than a minute, rough figures")
	f.IntVar(&o.rounds, "rounds", c.rounds, "`number` of rounds")
	f.DurationVar(&o.dur, "d", c.dur, "`length` of each server's turn")
	f.BoolVar(&o.markdown, "md", false, "print Markdown")
	f.StringVar(&o.json, "json", "", "write the results of all turns to this `file`")
	f.StringVar(&o.match, c.matches, "", "only "+c.matches+" whose name matches this `regexp`")
	if c.name != "scaling" {
		f.StringVar(&o.settings, "settings", "one-core,shared",
			"the `settings` to measure in: one-core has the server on one CPU and the load on another; shared has both on all")
	}
	switch c.name {
	case "compare":
		f.StringVar(&o.impls, "impls", strings.Join(ownServers, ","), "the `servers` to compare; ratios are to the first. server@constant=expression is a server of this program, built with another value "+
			"of that constant in reactor/tuning.go (a semicolon separates several); server@revision is built from that git revision")
		f.BoolVar(&o.peers, "peers", false, "compare with other network libraries, too: "+strings.Join(peers, ", "))
		f.IntVar(&o.idle, "idle", 0, "`number` of idle connections where there are many; 0: 10000, or 1000 if turns are shorter than 200ms")
		f.BoolVar(&o.report, "report", false, "write RESULTS.md, results.json and charts/")
		f.StringVar(&o.render, "render", "", "measure nothing: write RESULTS.md, results.json and charts/ from these comma-separated `files` of -json")
	case "modes":
		f.IntVar(&o.conns, "conns", 64, "`number` of connections")
		f.BoolVar(&o.report, "report", false, "write modes/RESULTS.md")
	}
	f.Usage = func() { c.usage(o, f) }
	return f
}

// plan checks the flags and returns the rows.
func (c command) plan(o *options) (rows []row, err error) {
	if o.quick {
		o.rounds, o.dur = quickRounds, c.quick
	}
	o.calls = c.name == "modes" && !o.quick
	if o.idle == 0 && o.dur < 200*time.Millisecond {
		o.idle = 1000
	} else if o.idle == 0 {
		o.idle = 10000
	}
	if o.re, err = regexp.Compile(o.match); err != nil {
		return nil, err
	}
	if o.rounds < 1 || o.rounds > 1000 || o.dur < 10*time.Millisecond || o.dur > time.Minute {
		return nil, fmt.Errorf("-rounds %d -d %v: use 1 to 1000 rounds of 10ms to 1m", o.rounds, o.dur)
	}
	if o.idle < 0 || o.idle > 1000000 || o.conns < 0 || o.conns > modes.MaxConns {
		return nil, fmt.Errorf("-idle %d -conns %d: use up to 1000000 and %d", o.idle, o.conns, modes.MaxConns)
	}
	if rows, err = c.rows(o); err == nil && len(rows) == 0 {
		err = fmt.Errorf("-%s %s: no match", c.matches, o.match)
	}
	return rows, err
}

// usage says what the command does, how long it takes and which flags it has.
func (c command) usage(o *options, f *flag.FlagSet) {
	w := f.Output()
	fmt.Fprintf(w, "usage: go run . %s [flags]\n\n%[1]s %s\n", c.name, c.does)
	if rows, err := c.plan(o); err == nil {
		_, takes := turns(rows, o)
		fmt.Fprintf(w, "It takes about %s by default, and less than a minute with -quick.\n", about(takes))
	}
	fmt.Fprintf(w, "\nflags:\n")
	f.PrintDefaults()
	fmt.Fprintf(w, "\ncommands (without one, it is compare):\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.does)
	}
}

const (
	quickRounds = 3

	// After quickTime, -quick begins no further turn. After quickEnd it gives up on a
	// turn that hangs.
	quickTime = 50 * time.Second
	quickEnd  = 59 * time.Second
)

var errTimeUp = fmt.Errorf("-quick stopped after %v: not all was measured", quickTime)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var err error
	if len(os.Args) == 3 && os.Args[1] == "-child" {
		err = runChild(os.Args[2], os.Stdin, os.Stdout)
	} else {
		err = runCommand(os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// runChild is the main function of a child process: the load generator, or a server
// with the given configuration.
func runChild(what string, in io.Reader, out io.Writer) error {
	if what == "load" {
		return load.Serve(in, out)
	}
	return server.Run(what, in, out)
}

// runCommand runs what the arguments say.
func runCommand(args []string, out, errs io.Writer) error {
	c, rest := commands[0], args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		i := slices.IndexFunc(commands, func(c command) bool { return c.name == args[0] })
		if i < 0 {
			return fmt.Errorf("unknown command %q: use compare, modes, scaling or seccomp", args[0])
		}
		c, rest = commands[i], args[1:]
	}
	o := &options{}
	f := c.flags(o, errs)
	if err := f.Parse(rest); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	if o.render != "" {
		res, err := report.Read(strings.Split(o.render, ",")...)
		if err != nil {
			return err
		}
		return res.WriteFiles(".")
	}
	rows, err := c.plan(o)
	if err != nil {
		return err
	}
	return c.run(o, args, rows, out, errs)
}

// run measures and prints.
func (c command) run(o *options, args []string, rows []row, out, errs io.Writer) (err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if o.quick {
		ctx, cancel = context.WithTimeoutCause(ctx, quickTime, errTimeUp)
		defer cancel()
		defer time.AfterFunc(quickEnd, func() { log.Fatalf("something hangs: gave up after %v", quickEnd) }).Stop()
	}
	b := &bench{ctx: ctx, rounds: o.rounds, dur: o.dur, builds: builds{peerDir: "peers", tuning: tuningFile}}
	defer func() { err = errors.Join(err, b.builds.close()) }()
	info, err := describeRun(args, o)
	if err = errors.Join(err, warnBusy(errs), b.variants(rows)); err != nil {
		return err
	}
	b.results.Runs = []report.Run{info}
	count, takes := turns(rows, o)
	b.progress = newProgress(errs, count, takes)
	measured := b.measure(rows, o.calls)
	b.progress.clear()
	c.print(report.Printer{Out: out, Markdown: o.markdown}, &b.results)
	warnUnsteady(errs, &b.results)
	if o.json != "" {
		err = b.results.Write(o.json)
	}
	if o.report && c.name == "compare" {
		err = errors.Join(err, b.results.WriteFiles("."))
	} else if o.report {
		var md strings.Builder
		md.WriteString("# io_uring's execution modes\n\nThis file is written by `go run . modes -report`, in `bench/`. Ratios (÷) are medians of the rounds' ratios, with the lowest\nand the highest in parentheses.\n\n")
		c.print(report.Printer{Out: &md, Markdown: true}, &b.results)
		err = errors.Join(err, os.WriteFile("modes/RESULTS.md", []byte(md.String()), 0o666))
	}
	if errors.Is(measured, errTimeUp) { // what was measured stands
		fmt.Fprintf(errs, "bench: %v\n", measured)
		measured = nil
	}
	return errors.Join(measured, err, b.failed)
}

// print prints the tables.
func (c command) print(p report.Printer, res *report.Results) {
	fmt.Fprintf(p.Out, "%s: %d rounds of %v.\n\n", res.Runs[0].Machine, res.Runs[0].Rounds, res.Runs[0].Turn)
	p.Workloads(res.Workloads)
	if c.name == "modes" {
		explainModes(p)
	}
}
