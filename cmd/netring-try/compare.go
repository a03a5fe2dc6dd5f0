package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// comparison is what `netring-try compare` measures.
type comparison struct {
	rounds  int
	wait    string        // the address that the server answers on
	ready   time.Duration // how long the server may take to answer
	timeout time.Duration // how long a load command may take
	load    []string      // the load command
	dir     string        // where server and load run
	log     *os.File      // output of the servers
	ring    string        // the variant to compare with package net
}

// Limits of a comparison.
const (
	maxRounds   = 100
	stopTimeout = 10 * time.Second // from SIGTERM to SIGKILL
)

// The servers: on package net, and the two modes of netring.
const (
	variantNet     = "net"
	variantNetring = "netring"
	variantDeep    = "deep"
)

// variant returns the name of the job's server.
func (j *job) variant() string {
	if j.deep {
		return variantDeep
	}
	return variantNetring
}

// measurement is one variant's part of a round.
type measurement struct {
	values []value
	report *report // of netring
}

// cmdCompare measures a program on package net and on netring.
func cmdCompare(args []string) error {
	c := &comparison{}
	own := flag.NewFlagSet("compare", flag.ContinueOnError)
	own.IntVar(&c.rounds, "rounds", 5, "")
	own.StringVar(&c.wait, "wait", "", "")
	own.DurationVar(&c.ready, "ready", 30*time.Second, "")
	own.DurationVar(&c.timeout, "timeout", time.Minute, "")
	j, err := newJob(args, own)
	if err != nil {
		return err
	}
	dir := j.tc.dir
	packages, server, err := c.parse(j.rest)
	if err != nil {
		return err
	}
	programs, err := j.buildBoth(packages)
	if err != nil {
		return err
	}
	wrapper, _ := flagValue(j.flags, "exec")
	for v, file := range programs {
		programs[v] = slices.Concat(strings.Fields(wrapper), file, server)
	}
	if c.log, err = os.CreateTemp("", "netring-try-*.log"); err != nil {
		return err
	}
	c.dir, c.ring = dir, j.variant()
	defer os.Remove(c.log.Name())
	defer c.log.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := c.measure(ctx, programs)
	if err != nil {
		return fmt.Errorf("%w%s", err, c.logTail())
	}
	c.print(os.Stdout, results)
	return nil
}

// parse takes apart the arguments: the package, the server's arguments and, after "--", the
// load command.
func (c *comparison) parse(rest []string) (packages, server []string, err error) {
	dashes := slices.Index(rest, "--")
	if dashes < 0 || dashes == len(rest)-1 {
		return nil, nil, errors.New(`compare needs a load command after "--", as in: compare ./cmd/server -addr :8080 -- wrk -d 5s http://127.0.0.1:8080/`)
	}
	c.load = rest[dashes+1:]
	if packages, server, err = cutProgram(rest[:dashes]); err != nil {
		return nil, nil, err
	}
	if c.rounds < 1 || c.rounds > maxRounds {
		return nil, nil, fmt.Errorf("-rounds is %d; use 1 to %d", c.rounds, maxRounds)
	}
	if c.wait == "" {
		c.wait, _ = flagValue(server, "addr")
	}
	if c.wait == "" {
		return nil, nil, errors.New("compare cannot see which address the server answers on; give it, as in -wait 127.0.0.1:8080 or -wait /run/server.sock")
	}
	return packages, server, nil
}

// buildBoth builds the program on package net and on netring, and returns the file names.
func (j *job) buildBoth(packages []string) (map[string][]string, error) {
	packages, err := j.fetch(packages)
	if err != nil {
		return nil, err
	}
	ring, err := j.buildProgram(packages)
	if err != nil {
		return nil, err
	}
	out := j.programDir(variantNet, packages)
	flags := withoutFlag(withoutFlag(j.flags, "exec"), "o")
	if j.overlay != "" {
		flags = append(flags, "-overlay="+j.tc.abs(j.overlay))
	}
	plain, err := j.tc.plain.build(slices.Concat([]string{"build"}, flags, []string{"-o=" + out + "/"}, packages), out)
	if err != nil {
		return nil, err
	}
	return map[string][]string{variantNet: {plain}, j.variant(): {ring}}, nil
}

// measure runs the rounds. In each, both variants run, in random order.
func (c *comparison) measure(ctx context.Context, programs map[string][]string) (map[string][]measurement, error) {
	results := make(map[string][]measurement)
	for round := range c.rounds {
		order := []string{variantNet, c.ring}
		rand.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		for _, v := range order {
			m, err := c.turn(ctx, programs[v])
			if err != nil {
				return nil, fmt.Errorf("round %d, the program on %s: %w", round+1, v, err)
			}
			results[v] = append(results[v], m)
			fmt.Fprintf(os.Stderr, "round %d of %d, %-7s  %s\n", round+1, c.rounds, v, oneLine(m.values))
		}
	}
	return results, nil
}

// network returns the network of the server's address.
func (c *comparison) network() (network, address string) {
	if strings.ContainsAny(c.wait, "/@") && !strings.Contains(c.wait, ":") {
		return "unix", c.wait
	}
	if !strings.Contains(c.wait, ":") {
		return "tcp", net.JoinHostPort("127.0.0.1", c.wait)
	}
	return "tcp", c.wait
}

// answers reports whether something accepts connections on the server's address.
func (c *comparison) answers(ctx context.Context) bool {
	network, address := c.network()
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return false
	}
	// A failure to close says nothing about the server.
	_ = conn.Close()
	return true
}

// logTail returns the last lines that a server has printed.
func (c *comparison) logTail() string {
	const most = 2000
	size, err := c.log.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return ""
	}
	tail := make([]byte, min(size, most))
	if _, err := c.log.ReadAt(tail, size-int64(len(tail))); err != nil {
		return ""
	}
	return "\nthe servers' last output:\n" + string(tail)
}
