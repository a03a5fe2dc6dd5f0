package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/rounds"
)

// look gives e further turns, under perf if that is there: one to count system
// calls, and one for the flame graph if they are asked for.
func (d *driver) look(e *entry, setting string) error {
	e.calls = math.NaN()
	if e.trouble != "" || !havePerf() {
		return nil
	}
	var err error
	if e.calls, err = d.countCalls(e); err == nil && d.flames != "" && e.trouble == "" {
		err = d.flame(e, setting)
	}
	if errors.Is(err, rounds.ErrInterrupted) {
		return err
	}
	if err != nil { // the results stand without it
		fmt.Fprintf(os.Stderr, "modes: %v under perf: %v\n", e.variant, err)
	}
	return nil
}

func havePerf() bool {
	_, err := exec.LookPath("perf")
	return err == nil
}

// underPerf runs a turn of e while perf watches its server, and returns perf's
// standard error.
func (d *driver) underPerf(e *entry, warmup time.Duration, args ...string) (res load.Result, stderr string, err error) {
	var buf bytes.Buffer
	cmd := exec.Command("perf", append(args, "-p", strconv.Itoa(e.child.PID))...)
	cmd.Stderr = &buf
	if err := cmd.Start(); err != nil {
		return res, "", err
	}
	limit := time.AfterFunc(d.dur+2*patience, func() {
		_ = cmd.Process.Kill() // Wait tells
	})
	defer limit.Stop()
	time.Sleep(perfStart)
	if err = rounds.Interrupted(d.stop); err == nil {
		res, err = d.job(e, warmup)
	}
	if err == nil && e.trouble != "" {
		err = errors.New(e.trouble)
	}
	if sigErr := cmd.Process.Signal(os.Interrupt); !errors.Is(sigErr, os.ErrProcessDone) { // else it said why
		err = errors.Join(err, sigErr)
	}
	// perf ends with the signal, which is no error here; its output tells what is.
	_ = cmd.Wait()
	return res, buf.String(), err
}

// perfStart is how long perf may take to attach.
const perfStart = 200 * time.Millisecond

// countCalls returns the number of system calls per request, NaN if the kernel
// does not let perf count them.
func (d *driver) countCalls(e *entry) (float64, error) {
	res, out, err := d.underPerf(e, 0, "stat", "-x,", "-e", "raw_syscalls:sys_enter")
	if err != nil {
		return math.NaN(), err
	}
	for line := range strings.Lines(out) {
		count, rest, _ := strings.Cut(line, ",")
		if strings.Contains(rest, "raw_syscalls:sys_enter") {
			if n, err := strconv.ParseFloat(count, 64); err == nil { // else it says why not
				return n / float64(res.Requests), nil
			}
		}
	}
	return math.NaN(), nil
}

// flame records e's server and draws its flame graph.
func (d *driver) flame(e *entry, setting string) (err error) {
	if err := os.MkdirAll(d.flames, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "netring-modes-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	data := filepath.Join(tmp, "perf.data")
	_, said, err := d.underPerf(e, d.dur/10, "record", "-e", "cpu-clock", "-F", "1999", "-g", "-o", data)
	if err != nil {
		return err
	}
	script := exec.Command("perf", "script", "-i", data, "-F", "comm,ip,sym,dso")
	var stderr bytes.Buffer
	script.Stderr = &stderr
	out, err := script.Output()
	if err != nil {
		return fmt.Errorf("perf script: %w: %s%s", err, stderr.String(), said)
	}
	root := fold(string(out))
	name := strings.ReplaceAll(setting+"-"+e.String(), "/", "-")
	f, err := os.Create(filepath.Join(d.flames, name+".svg"))
	if err != nil {
		return err
	}
	return errors.Join(drawFlame(f, setting+": "+e.String()+": "+e.what, root), f.Close())
}
