// Bench compares netring with package net. It has four commands:
//
//	go run . compare    # netring, package net, a loop in C and other libraries
//	go run . modes      # the ways in which io_uring can run a server
//	go run . scaling    # how cost grows with connections, reactors and listeners
//	go run . seccomp    # what a container's seccomp filter costs
//
// "go run ." is compare. With -h, each command prints its duration. With -quick, it ends within a
// minute and prints rough figures. A long run can be split:
//
//	go run . compare -settings one-core -json a.json
//	go run . compare -settings shared -json b.json
//	go run . compare -render a.json,b.json    # writes RESULTS.md, results.json and charts/
//
// Compare also builds variants of its own servers, with other values of the constants in
// reactor/tuning.go or from a git revision:
//
//	go run . compare -impls uring,uring@maxEvents=64,uring@c730e61 -rows 'HTTP, (16|64|256) conns'
//
// Each server is a child process. The load generator, another child, drives one server at a time.
// The speed of the machine drifts. Therefore every server gets one turn in each round, in random
// order, and a ratio is the median of the rounds' ratios.
//
// A server that cannot be built, does not start or answers wrongly is left out of the row. The
// command prints the reason after the tables. If the server is this program's own, the command
// fails at the end, unless the kernel refuses io_uring.
package main

import (
	"bytes"
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

// options are the values of the flags.
type options struct {
	quick, markdown, report, peers bool
	rounds, idle, conns            int
	dur                            time.Duration
	impls, settings, match         string
	json, render                   string

	re    *regexp.Regexp // match, compiled
	only  []string       // the only rows; nil: all rows
	calls bool           // count system calls in an additional round
}

// wants reports whether the flags ask for the row, server or section of that name.
func (o *options) wants(name string) bool {
	return o.re.MatchString(name) && (o.only == nil || slices.Contains(o.only, name))
}

// command is a command of the program.
type command struct {
	name, does string
	rounds     int           // by default
	dur, quick time.Duration // of a turn, by default and with -quick
	matches    string        // the name of its flag for a regexp, and what the regexp matches
	rows       func(o *options) ([]row, error)
}

var commands = []command{
	{"compare", "measures netring beside package net, and with -peers beside other libraries.",
		9, 400 * time.Millisecond, 100 * time.Millisecond, "rows", compare},
	{"modes", "measures small HTTP servers in different modes of io_uring.",
		9, 400 * time.Millisecond, 50 * time.Millisecond, "servers", compareModes},
	{"scaling", "measures how cost grows with connections, reactors and listeners.",
		3, 200 * time.Millisecond, 100 * time.Millisecond, "sections", scaling},
	{"seccomp", "measures servers with and without a seccomp filter like a container's.",
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
	f.StringVar(&o.match, c.matches, "", "measure only "+c.matches+" whose name matches this `regexp`")
	if c.name != "scaling" {
		f.StringVar(&o.settings, "settings", "one-core,shared",
			"the `settings` to measure in: one-core runs the server on one CPU and the load on another; shared runs both on all CPUs")
	}
	switch c.name {
	case "compare":
		f.StringVar(&o.impls, "impls", strings.Join(ownServers, ","), "the `servers` to compare; ratios are to the first. "+
			"server@constant=expression is built with another value of a constant in reactor/tuning.go (a semicolon separates several constants), "+
			"server@revision from a git revision")
		f.BoolVar(&o.peers, "peers", false, "also compare other network libraries: "+strings.Join(peers, ", "))
		f.IntVar(&o.idle, "idle", 0, "`number` of idle connections in rows with many; 0: 10000, or 1000 if turns are shorter than 200ms")
		f.BoolVar(&o.report, "report", false, "write RESULTS.md, results.json and charts/")
		f.StringVar(&o.render, "render", "", "do not measure; write RESULTS.md, results.json and charts/ from these comma-separated `files` of -json")
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
		return nil, fmt.Errorf("-rounds is %d and -d is %v; use 1 to 1000 rounds of 10ms to 1m", o.rounds, o.dur)
	}
	if o.idle < 0 || o.idle > 1000000 || o.conns < 0 || o.conns > modes.MaxConns {
		return nil, fmt.Errorf("-idle is %d and -conns is %d; use at most 1000000 and %d", o.idle, o.conns, modes.MaxConns)
	}
	if rows, err = c.rows(o); err == nil && len(rows) == 0 {
		err = fmt.Errorf("-%s is %q, which matches none of the %[1]s; omit it to measure all", c.matches, o.match)
	}
	return rows, err
}

// usage prints what the command does, its duration and its flags.
func (c command) usage(o *options, f *flag.FlagSet) {
	w := f.Output()
	fmt.Fprintf(w, "usage: go run . %s [flags]\n\n%[1]s %s\n", c.name, c.does)
	if rows, err := c.plan(o); err == nil {
		_, takes := turns(rows, o)
		fmt.Fprintf(w, "It takes about %s by default, and less than a minute with -quick.\n", about(takes))
	}
	fmt.Fprintf(w, "\nflags:\n")
	f.PrintDefaults()
	fmt.Fprintf(w, "\ncommands (the default is compare):\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.does)
	}
}

const (
	quickRounds = 3
	quickTime   = 50 * time.Second // when -quick begins no further turn
	quickEnd    = 59 * time.Second // when -quick gives up on a turn that hangs
)

var errTimeUp = fmt.Errorf("-quick stopped after %v, before all turns were measured; omit -quick to measure all", quickTime)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var err error
	switch isChild := len(os.Args) == 3 && os.Args[1] == "-child"; {
	case isChild && os.Args[2] == "load":
		err = load.Serve(os.Stdin, os.Stdout)
	case isChild:
		err = server.Run(os.Args[2], os.Stdin, os.Stdout)
	default:
		err = runCommand(os.Args[1:], os.Stdout, os.Stderr)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// runCommand runs the command in args.
func runCommand(args []string, out, errs io.Writer) error {
	c, rest := commands[0], args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		i := slices.IndexFunc(commands, func(c command) bool { return c.name == args[0] })
		if i < 0 {
			return fmt.Errorf("command %q is unknown; use compare, modes, scaling or seccomp", args[0])
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
		return fmt.Errorf("argument %q is no flag; use -h to see the flags", f.Arg(0))
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

// run measures the rows and prints the results.
func (c command) run(o *options, args []string, rows []row, out, errs io.Writer) (err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if o.quick {
		ctx, cancel = context.WithTimeoutCause(ctx, quickTime, errTimeUp)
		defer cancel()
		defer time.AfterFunc(quickEnd, func() { log.Fatalf("a turn hangs: -quick gave up after %v", quickEnd) }).Stop()
	}
	b := &bench{ctx: ctx, rounds: o.rounds, dur: o.dur, builds: builds{peerDir: "peers", tuning: "../reactor/tuning.go"}}
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
		md := bytes.NewBufferString("# io_uring's execution modes\n\n`go run . modes -report`, in `bench/`, writes this file. A ratio (÷) is the median of the rounds' ratios. The lowest and\nthe highest ratio follow in parentheses.\n\n")
		c.print(report.Printer{Out: md, Markdown: true}, &b.results)
		err = errors.Join(err, os.WriteFile("modes/RESULTS.md", md.Bytes(), 0o666))
	}
	if errors.Is(measured, errTimeUp) { // the results so far are valid
		fmt.Fprintf(errs, "bench: %v\n", measured)
		measured = nil
	}
	return errors.Join(measured, err, b.failed)
}

func (c command) print(p report.Printer, res *report.Results) {
	fmt.Fprintf(p.Out, "%s: %d rounds of %v.\n\n", res.Runs[0].Machine, res.Runs[0].Rounds, res.Runs[0].Turn)
	p.Workloads(res.Workloads)
	if c.name == "modes" {
		explainModes(p)
	}
}
