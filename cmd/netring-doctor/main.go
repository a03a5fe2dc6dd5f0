// Command netring-doctor reports what netring does on this machine, and why. It prints
// the engine that the default Poller runs, the kernel, the features of io_uring, the
// limits, a comparison of the engines with package net, and what to change.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `Usage: netring-doctor [flags]

netring-doctor reports which engine netring runs on this machine, why, how it compares
with package net, and what to change. The environment variable NETRING_ENGINE has the
meaning that it has for programs that use netring.

The exit status is 0 after a complete report, 1 if netring cannot serve here or a part
of the report failed, and 2 for a wrong flag.

Flags:
`

// The longest measurement.
const (
	maxRounds = 100
	maxTurn   = time.Minute
)

// options are the command's flags.
type options struct {
	json   bool
	rounds int
	turn   time.Duration
}

func main() {
	if job := os.Getenv(loadEnv); job != "" {
		if err := runLoad(job, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "netring-doctor: load:", err)
			os.Exit(exitFailed)
		}
		return
	}
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the doctor and returns the exit status.
func command(args []string, stdout, stderr io.Writer) int {
	fs, o := flags()
	switch err := o.parse(fs, args); {
	case errors.Is(err, flag.ErrHelp):
		printUsage(fs, stdout)
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "netring-doctor:", err)
		printUsage(fs, stderr)
		return exitUsage
	}
	d, err := diagnose(o)
	if err == nil && o.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(d)
	} else if err == nil {
		err = d.print(stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "netring-doctor:", err)
		return exitFailed
	}
	if d.failed() {
		return exitFailed
	}
	return exitOK
}

// flags returns the command's flags and where they store their values.
func flags() (*flag.FlagSet, *options) {
	o := new(options)
	fs := flag.NewFlagSet("netring-doctor", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // command prints the error and the usage, each once
	fs.BoolVar(&o.json, "json", false, "print JSON")
	fs.IntVar(&o.rounds, "rounds", 9, "`number` of rounds of the measurement; 0 leaves the measurement out")
	fs.DurationVar(&o.turn, "d", 250*time.Millisecond, "`length` of each engine's turn in a round")
	return fs, o
}

func printUsage(fs *flag.FlagSet, w io.Writer) {
	fmt.Fprint(w, usage)
	fs.SetOutput(w)
	fs.PrintDefaults()
}

// parse parses and checks the arguments.
func (o *options) parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("the argument %q is unknown; use flags only", fs.Arg(0))
	}
	if o.rounds < 0 || o.rounds > maxRounds {
		return fmt.Errorf("-rounds is %d; use 0 to %d", o.rounds, maxRounds)
	}
	if o.turn <= 0 || o.turn > maxTurn {
		return fmt.Errorf("-d is %v; use more than 0 and at most %v", o.turn, maxTurn)
	}
	return nil
}
