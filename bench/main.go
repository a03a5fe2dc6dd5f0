// Bench compares netring with package net: it starts a server of each as a child
// process, drives them by turns from a load generator of its own, and prints
// requests per second, CPU time per request, latencies and the median ratios.
//
// The machine's speed drifts, so only interleaved runs compare: in every round
// each server gets one turn, in random order, and a ratio is the median of the
// rounds' ratios.
//
//	go run .                                  # all rows, in both settings
//	go run . -quick                           # the same, roughly, in a minute
//	go run . -rows '^echo 128' -peers         # beside other network libraries
//	go run . -report                          # RESULTS.md and charts/, too
//	go run . -settings one-core -json a.json  # a long run in pieces …
//	go run . -settings shared -json b.json
//	go run . -render a.json,b.json            # … and the report of all of them
//
// An implementation that cannot be built, does not start or answers wrongly in a
// row is left out of it, and the reason is printed after the tables. Is it one of
// net, uring and syscall, the command fails in the end; but that io_uring is refused
// is no failure.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"time"
)

// options are the command line's.
type options struct {
	quick, report, peers  bool
	seccomp               bool
	rounds, idle          int
	dur                   time.Duration
	impls, settings, rows string
	json, render, peerDir string
	child, file           string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var o options
	flag.StringVar(&o.child, "child", "", "for internal use: what this process is")
	flag.StringVar(&o.file, "file", "", "for internal use: the file that a file server sends")
	flag.BoolVar(&o.quick, "quick", false, "fewer and shorter rounds: about a minute, rough figures")
	flag.IntVar(&o.rounds, "rounds", 9, "`number` of rounds")
	flag.DurationVar(&o.dur, "d", time.Second, "`length` of each server's turn")
	flag.StringVar(&o.impls, "impls", "net,uring,syscall,uring+cw,syscall+cw,uring+lease,syscall+lease,c-epoll",
		"the `servers` to compare; ratios are to the first")
	flag.BoolVar(&o.seccomp, "seccomp", false, "compare each with itself behind a seccomp filter like a container's; without -rows, in a few rows")
	flag.BoolVar(&o.peers, "peers", false, "compare with other network libraries, too: gnet, netpoll, nbio, go-uring, rio")
	flag.StringVar(&o.peerDir, "peerdir", "peers", "the `directory` of their servers' sources")
	flag.StringVar(&o.settings, "settings", "one-core,shared", "the `settings` to measure in")
	flag.StringVar(&o.rows, "rows", "", "only rows whose name matches this `regexp`")
	flag.IntVar(&o.idle, "idle", 0, "`number` of idle connections where there are many; 0: 10000, or 1000 if turns are shorter than 200ms")
	flag.StringVar(&o.json, "json", "", "write the results of all turns to this `file`")
	flag.BoolVar(&o.report, "report", false, "write RESULTS.md and charts/")
	flag.StringVar(&o.render, "render", "", "measure nothing: write RESULTS.md and charts/ from these comma-separated `files` of -json")
	flag.Parse()
	if o.child != "" {
		if err := runChild(o.child, o.file); err != nil {
			log.Fatalf("%s: %v", o.child, err)
		}
		return
	}
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) (err error) {
	if o.render != "" {
		res, err := readResults(strings.Split(o.render, ","))
		if err != nil {
			return err
		}
		return writeReport(".", res)
	}
	if o.quick {
		o.rounds, o.dur = 2, 100*time.Millisecond
	}
	if o.seccomp && o.rows == "" {
		o.rows = "^HTTP, (1|64) conns$|^echo 128 B, 64|a conn per request"
	}
	re, err := regexp.Compile(o.rows)
	if err != nil {
		return fmt.Errorf("-rows: %w", err)
	}
	if o.rounds < 1 || o.rounds > 1000 || o.dur < 10*time.Millisecond || o.dur > time.Minute {
		return fmt.Errorf("-rounds %d -d %v: want 1 to 1000 rounds of 10ms to 1m", o.rounds, o.dur)
	}
	if o.idle == 0 && o.dur < 200*time.Millisecond {
		o.idle = 1000
	}
	if o.idle == 0 {
		o.idle = 10000
	}
	if o.idle < 1 || o.idle > 1000000 {
		return fmt.Errorf("-idle %d: want 1 to 1000000", o.idle)
	}
	impls := strings.Split(o.impls, ",")
	if o.seccomp {
		impls = []string{"net", "net+seccomp", "uring", "uring+seccomp", "syscall", "syscall+seccomp"}
	}
	if o.peers {
		impls = append(impls, "gnet", "netpoll", "nbio", "go-uring", "rio")
	}
	for i, impl := range impls {
		if !slices.Contains(implOrder, impl) || slices.Contains(impls[:i], impl) {
			return fmt.Errorf("-impls: %q is unknown or there twice: want some of %s", impl, strings.Join(implOrder, ","))
		}
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	b := &bench{
		rounds: o.rounds, dur: o.dur, impls: impls, idle: o.idle, out: os.Stdout, stop: interrupted,
		builds: builds{peerDir: o.peerDir},
	}
	defer func() { err = errors.Join(err, b.close()) }()
	info, err := describeRun(os.Args[1:], b)
	if err != nil {
		return err
	}
	res := &results{Base: impls[0], Runs: []runInfo{info}}
	for _, s := range strings.Split(o.settings, ",") {
		ws, err := b.setting(s, re)
		res.Workloads = append(res.Workloads, ws...)
		if err != nil {
			// What was measured before it is worth keeping.
			return errors.Join(fmt.Errorf("%s: %w", s, err), output(o, res))
		}
	}
	return errors.Join(append(b.failed, output(o, res))...)
}

// output writes the files that were asked for.
func output(o options, res *results) error {
	var errs []error
	if o.json != "" {
		errs = append(errs, writeResults(o.json, res))
	}
	if o.report {
		errs = append(errs, writeReport(".", res))
	}
	return errors.Join(errs...)
}

// runChild is the main function of a child process: "load", or "server/IMPL/KIND".
func runChild(what, file string) error {
	if what == "load" {
		return runLoad(os.Stdin, os.Stdout)
	}
	part := strings.Split(what, "/")
	if len(part) != 3 || part[0] != "server" {
		return fmt.Errorf("unknown child")
	}
	return runServer(part[1], part[2], file, os.Stdin)
}
