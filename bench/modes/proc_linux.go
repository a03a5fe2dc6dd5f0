package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// proc is a child process.
type proc struct {
	what string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	port int // of a server
}

// start runs this program as a child, on the given CPUs (nil: all).
func start(what string, cpus []int) (*proc, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &proc{what: what, cmd: exec.Command(exe, "-child", what)}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := onCPUs(cpus, p.cmd.Start); err != nil {
		return nil, err
	}
	return p, nil
}

// onCPUs runs f on a thread that is bound to cpus, which what f starts inherits.
func onCPUs(cpus []int, f func() error) error {
	if cpus == nil {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	return errors.Join(f(), os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &before)))
}

// patience is how long a child may take for what should take a moment.
const patience = 15 * time.Second

// within bounds a wait for the child: when the time is up, it is killed, which
// ends its output.
func (p *proc) within(d time.Duration) (stop func()) {
	t := time.AfterFunc(d, func() {
		fmt.Fprintf(os.Stderr, "modes: %s does not answer: killed\n", p.what)
		// It may have ended just now; Wait tells what became of it.
		_ = p.cmd.Process.Kill()
	})
	return func() { t.Stop() }
}

// readPort reads the port that a server prints first. If the kernel refused it,
// why says so.
func (p *proc) readPort() (why string, err error) {
	defer p.within(patience)()
	line, err := p.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s did not start: %w", p.what, err)
	}
	line = strings.TrimSpace(line)
	if why, ok := strings.CutPrefix(line, refusedMark); ok {
		return why, nil
	}
	p.port, err = strconv.Atoi(line)
	return "", err
}

// end closes the child's standard input, which makes it exit.
func (p *proc) end() error {
	defer p.within(patience)()
	err := p.in.Close()
	if waitErr := p.cmd.Wait(); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("%s: %w", p.what, waitErr))
	}
	return err
}

// cpuTime is the CPU time that the process has used, its kernel threads (SQPOLL,
// io-wq) included.
func (p *proc) cpuTime() (time.Duration, error) {
	// The clock id of a process's CPU time, see clock_getcpuclockid(3).
	clock := int32(^uint32(p.cmd.Process.Pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}

// turn runs one job against a server.
func turn(load, server *proc, job loadJob) (res loadResult, err error) {
	defer load.within(patience + job.Warmup + job.Duration)()
	job.Port = server.port
	if err := json.NewEncoder(load.in).Encode(job); err != nil {
		return res, err
	}
	var before, after time.Duration
	for {
		line, err := load.out.ReadString('\n')
		if err != nil {
			return res, fmt.Errorf("the load: %w", err)
		}
		switch strings.TrimSpace(line) {
		case markStart:
			before, err = server.cpuTime()
		case markEnd:
			after, err = server.cpuTime()
		default:
			err = json.Unmarshal([]byte(line), &res)
			if err == nil && res.Err != "" {
				err = errors.New(res.Err)
			}
			if err == nil && res.Requests == 0 {
				err = errors.New("no request was answered")
			}
			res.CPU = after - before
			return res, err
		}
		if err != nil {
			return res, err
		}
	}
}
