package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// turn starts the server, runs the load command and ends the server.
func (c *comparison) turn(ctx context.Context, argv []string) (m measurement, err error) {
	if c.answers(ctx) {
		return m, fmt.Errorf("something answers on %s before the server starts; end it, or use another address", c.wait)
	}
	dir, err := os.MkdirTemp("", "netring-try-")
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(dir)
	stats := filepath.Join(dir, "stats")
	server := exec.Command(argv[0], argv[1:]...)
	server.Dir, server.Stdout, server.Stderr = c.dir, c.log, c.log
	server.Env = append(os.Environ(), statsEnv+"="+stats)
	// A group of its own, so that ^C ends the server once, through this process.
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := server.Start(); err != nil {
		return m, err
	}
	exited := make(chan error, 1)
	go func() { exited <- server.Wait() }()
	m.values, err = c.underLoad(ctx, server.Process.Pid, exited)
	if err2 := stop(server.Process, exited); err == nil {
		err = err2
	}
	if err != nil {
		return m, err
	}
	r, found, err := readReport(stats)
	if found {
		m.report = &r
	}
	return m, err
}

var errExited = errors.New("the server has ended by itself")

// underLoad waits for the server, runs the load command and returns what it measured. It puts
// the server's end back into exited.
func (c *comparison) underLoad(ctx context.Context, pid int, exited chan error) ([]value, error) {
	if err := c.await(ctx, exited); err != nil {
		return nil, err
	}
	before, err := cpuTime(pid)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.load[0], c.load[1:]...)
	cmd.Dir = c.dir
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err = cmd.Run()
	took := time.Since(start)
	if ctx.Err() != nil {
		err = fmt.Errorf("it was ended after %v: %w", took.Round(time.Millisecond), context.Cause(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("the load command %q failed: %w\n%s", c.load, err, out.Bytes())
	}
	after, err := cpuTime(pid)
	if err != nil {
		return nil, err
	}
	return derive(parseLoad(out.String()), took, after-before), nil
}

// await waits until the server answers.
func (c *comparison) await(ctx context.Context, exited chan error) error {
	ctx, cancel := context.WithTimeout(ctx, c.ready)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-exited:
			exited <- err
			return fmt.Errorf("%w: %v", errExited, err)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer on %s after %v: %w", c.wait, c.ready, context.Cause(ctx))
		case <-tick.C:
			if c.answers(ctx) {
				return nil
			}
		}
	}
}

// stop ends the server, with SIGKILL if it ignores SIGTERM.
func stop(p *os.Process, exited chan error) error {
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := p.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-exited: // how it ends does not matter any more
			return nil
		case <-time.After(stopTimeout):
		}
	}
	return fmt.Errorf("process %d does not end after SIGKILL", p.Pid)
}

// cpuTime returns the CPU time that a process has used so far, see proc_pid_stat(5).
func cpuTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field, the name in parentheses, may contain anything.
	_, rest, found := strings.Cut(string(data[bytes.LastIndexByte(data, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has an unknown form: %q", pid, data)
	}
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / clockTicks), nil
}

// clockTicks is the number of clock ticks in a second. It is 100 on all systems that Go runs on.
const clockTicks = 100
