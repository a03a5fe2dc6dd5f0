package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	startTimeout = 15 * time.Second // for a server to print its port
	endTimeout   = 10 * time.Second // for a child to exit when its standard input is closed
	gcTimeout    = 30 * time.Second // for a server to collect its garbage
)

// proc is a child process.
type proc struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs *head
	port int // of a server
}

// head keeps the beginning of what a child writes to its standard error.
type head struct {
	mu  sync.Mutex
	buf []byte
}

const headSize = 2 << 10

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buf = append(h.buf, p[:min(len(p), headSize-len(h.buf))]...)
	return len(p), nil
}

// String returns it in one line, without stack traces.
func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, _, _ := strings.Cut(string(h.buf), "\ngoroutine ")
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), 300)]
}

// self returns the command line that makes this program the child that what says.
func self(what string, args ...string) ([]string, error) {
	exe, err := os.Executable()
	return append([]string{exe, "-child", what}, args...), err
}

// start runs a child, on the given CPUs (nil: all).
func start(argv []string, cpus []int) (*proc, error) {
	p := &proc{cmd: exec.Command(argv[0], argv[1:]...), errs: &head{}}
	p.cmd.Stderr = p.errs
	// gnet logs to its standard output before its main function can say that it must
	// not: from level 2, errors, up.
	p.cmd.Env = append(os.Environ(), "GNET_LOGGING_LEVEL=2")
	// If a grandchild holds the standard error open, that must not keep Wait.
	p.cmd.WaitDelay = time.Second
	var err error
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

// errNotStarted is the failure of a server to print its port.
var errNotStarted = errors.New("did not start")

// startServer runs a server and waits for its port.
func startServer(argv []string, cpus []int) (*proc, error) {
	p, err := start(argv, cpus)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	line, err := p.line(startTimeout)
	if err == nil {
		if p.port, err = strconv.Atoi(line); err != nil {
			err = fmt.Errorf("it printed %.60q instead of its port", line)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, p.abort(err))
	}
	return p, nil
}

// line reads a line of the child's output; the child is killed if that takes too
// long.
func (p *proc) line(timeout time.Duration) (string, error) {
	// Killing fails only if it has exited.
	t := time.AfterFunc(timeout, func() { _ = p.cmd.Process.Kill() })
	line, err := p.out.ReadString('\n')
	if !t.Stop() {
		err = fmt.Errorf("no answer within %v", timeout)
	}
	return strings.TrimSpace(line), err
}

// abort kills the child and returns err, the reason, with what the child itself
// said.
func (p *proc) abort(err error) error {
	_ = p.cmd.Process.Kill() // as above
	// It was killed, so that Wait has nothing to tell but how it had exited before.
	if exit := p.cmd.Wait(); err == io.EOF && exit != nil {
		err = exit
	}
	if said := p.errs.String(); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// end closes the child's standard input, which makes it exit.
func (p *proc) end() error {
	if err := p.in.Close(); err != nil {
		return p.abort(err)
	}
	t := time.AfterFunc(endTimeout, func() { _ = p.cmd.Process.Kill() }) // as above
	err := p.cmd.Wait()
	if !t.Stop() {
		err = fmt.Errorf("it had to be killed %v after its standard input was closed", endTimeout)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, p.errs)
	}
	return nil
}

// cpuTime is the CPU time that a process has used.
func cpuTime(pid int) (time.Duration, error) {
	// The clock id of a process's CPU time, see clock_getcpuclockid(3).
	clock := int32(^uint32(pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}

// resident is the number of bytes of memory that the process has, after it has
// collected its garbage.
func (p *proc) resident() (int64, error) {
	if _, err := fmt.Fprintln(p.in, collectGarbage); err != nil {
		return 0, err
	}
	line, err := p.line(gcTimeout)
	if err != nil {
		return 0, err
	}
	if line != collected {
		return 0, fmt.Errorf("the server printed %.60q", line)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rss, ok := bytes.Cut(maps, []byte("\nRss:"))
	if !ok {
		return 0, errors.New("smaps_rollup has no line Rss")
	}
	var kib int64
	if _, err := fmt.Sscan(string(rss), &kib); err != nil {
		return 0, err
	}
	return kib << 10, nil
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
