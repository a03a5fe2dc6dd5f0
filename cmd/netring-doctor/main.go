// Command netring-doctor reports what netring does on this machine, and why. It prints
// the kernel, the features of io_uring, the limits, the engine that auto picks, the
// speed of each engine and what to change.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/netring-go/netring"
)

// diagnosis is everything that the doctor finds. -json prints a diagnosis as JSON.
type diagnosis struct {
	*netring.Report
	Go           string        `json:"go"`
	CPUs         int           `json:"cpus"`
	GOMAXPROCS   int           `json:"gomaxprocs"`
	Measurements []measurement `json:"measurements,omitempty"`
	Advice       []string      `json:"advice"`
}

func main() {
	if job := os.Getenv(loadEnv); job != "" {
		if err := runLoad(job, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "netring-doctor: load:", err)
			os.Exit(1)
		}
		return
	}
	switch err := run(os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp): // run has printed the help
	case err != nil:
		fmt.Fprintln(os.Stderr, "netring-doctor:", err)
		os.Exit(1)
	}
}

// The longest measurement.
const (
	maxRounds = 100
	maxTurn   = time.Minute
)

func run(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("netring-doctor", flag.ContinueOnError)
	asJSON := fs.Bool("json", false, "print JSON")
	rounds := fs.Int("rounds", 5, "`number` of rounds of the measurement; 0 leaves it out")
	turn := fs.Duration("d", 300*time.Millisecond, "`length` of each engine's turn in a round")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("the argument %q is unknown; use flags only, see -h", fs.Arg(0))
	}
	if *rounds < 0 || *rounds > maxRounds {
		return fmt.Errorf("-rounds is %d; use 0 to %d", *rounds, maxRounds)
	}
	if *turn <= 0 || *turn > maxTurn {
		return fmt.Errorf("-d is %v; use more than 0 and at most %v", *turn, maxTurn)
	}
	report, err := netring.Probe()
	if err != nil {
		return err
	}
	d := &diagnosis{Report: report, Go: runtime.Version(), CPUs: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0)}
	if *rounds > 0 {
		if d.Measurements, err = measure(report, *rounds, *turn); err != nil {
			return err
		}
	}
	d.Advice = advise(d)
	if *asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(d)
	}
	return d.print(out)
}

// print writes the diagnosis for people.
func (d *diagnosis) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "engine\t%v: %s\n", d.Engine, d.Reason)
	fmt.Fprintf(w, "kernel\t%s\n", d.Kernel)
	fmt.Fprintf(w, "go\t%s, %d CPUs, GOMAXPROCS %d\n", d.Go, d.CPUs, d.GOMAXPROCS)
	for _, l := range []struct{ name, value string }{
		{"open files", d.Limits.OpenFiles}, {"locked memory", d.Limits.LockedMemory}, {"seccomp", d.Limits.Seccomp},
		{"kernel.io_uring_disabled", d.Limits.IOUringDisabled}, {"kernel.io_uring_group", d.Limits.IOUringGroup},
	} {
		if l.value == "" {
			l.value = "unknown"
		}
		fmt.Fprintf(w, "%s\t%s\n", l.name, l.value)
	}
	if len(d.Features) > 0 {
		fmt.Fprintf(w, "\nio_uring\tsince\there\twithout it\n")
	}
	for _, f := range d.Features {
		here := "yes"
		if !f.Supported {
			here = "no: " + f.Reason
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Name, f.Since, here, f.Without)
	}
	if len(d.Measurements) > 0 {
		fmt.Fprintf(w, "\necho of %d B, %d connections\tmessages/s\tCPU µs/message\tmessages/s, net = 1\tCPU, net = 1\n", messageSize, connections)
	}
	for _, m := range d.Measurements {
		fmt.Fprintf(w, "%v\t%.0f\t%.2f\t%.2f\t%.2f\n", m.Engine, m.Rate, m.CPU, m.RateRatio, m.CPURatio)
	}
	fmt.Fprintln(w)
	for _, a := range d.Advice {
		fmt.Fprintln(w, a)
	}
	return w.Flush()
}
