package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/report"
)

// progress prints what is being measured and the remaining time: in one line of a terminal, or
// else every ten seconds.
type progress struct {
	out         io.Writer
	terminal    bool
	count, done int           // turns
	estimate    time.Duration // of all
	begin, said time.Time
}

func newProgress(out io.Writer, count int, estimate time.Duration) *progress {
	p := &progress{out: out, count: count, estimate: estimate, begin: time.Now(), said: time.Now()}
	if f, ok := out.(*os.File); ok {
		_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		p.terminal = err == nil
	}
	return p
}

// turn prints that a turn begins. It estimates the remaining time from the turns so far, once
// there are enough.
func (p *progress) turn(what string) {
	const enough, sayEvery = 20, 10 * time.Second
	rest := time.Duration(max(p.count-p.done, 0))
	left := p.estimate * rest / time.Duration(max(p.count, 1))
	if p.done >= enough {
		left = time.Since(p.begin) * rest / time.Duration(p.done)
	}
	p.done++
	line := fmt.Sprintf("turn %d of %d, %s left: %s", p.done, max(p.count, p.done), about(left), what)
	switch {
	case p.terminal:
		fmt.Fprintf(p.out, "\r\x1b[K%.110s", line)
	case time.Since(p.said) > sayEvery:
		p.said = time.Now()
		fmt.Fprintf(p.out, "bench: %s\n", line)
	}
}

func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// about formats a duration roughly.
func about(d time.Duration) string {
	if d > 90*time.Second {
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

// describeRun describes the machine, the arguments and the options.
func describeRun(args []string, o *options) (run report.Run, err error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return run, os.NewSyscallError("uname", err)
	}
	cpus, err := os.ReadFile("/proc/cpuinfo")
	cpu := "unknown CPU"
	if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(cpus); m != nil {
		cpu = string(m[1])
	}
	run = report.Run{Command: "go run .", Rounds: o.rounds, Turn: o.dur}
	for _, arg := range args {
		if strings.ContainsAny(arg, " ^$()|*?[]\\;<>&") {
			arg = "'" + arg + "'"
		}
		run.Command += " " + arg
	}
	run.Machine = fmt.Sprintf("%s, %s, %d CPUs, Linux %s, %s", time.Now().UTC().Format(time.DateOnly), cpu, runtime.NumCPU(),
		unix.ByteSliceToString(u.Release[:]), runtime.Version())
	return run, err
}

// warnBusy warns if other programs keep the machine busy.
func warnBusy(out io.Writer) error {
	const ownLoad = 2.0 // the load average of a run: a server and the load generator
	text, err := os.ReadFile("/proc/loadavg")
	var load float64
	if err == nil {
		_, err = fmt.Sscan(string(text), &load)
	}
	if load > ownLoad {
		fmt.Fprintf(out, "bench: warning: the load average is %.2f, more than the %.0f of a run; other programs are running and make the figures rough\n", load, ownLoad)
	}
	return err
}

// warnUnsteady warns if ratios differ much between rounds.
func warnUnsteady(out io.Writer, res *report.Results) {
	if rows, of := res.Unsteady(); len(rows) > 0 {
		fmt.Fprintf(out, "bench: warning: %d of %d ratios of requests/s have quartiles more than %.2f apart, for example %s; use more or longer rounds\n",
			len(rows), of, report.MaxSpread, strings.Join(rows[:min(3, len(rows))], "; "))
	}
}
