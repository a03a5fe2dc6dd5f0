// Package child is the protocol between the benchmark and its child processes: the servers and
// the load generator.
//
// First, a server prints its port. Then each line that a child reads is a request in JSON, and
// each line that it prints is an answer. A child exits when its standard input ends. It prints
// errors to its standard error.
package child

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	startTimeout = 15 * time.Second // for a server to print its port
	endTimeout   = 10 * time.Second // for a child to exit when its standard input has ended
	saidSize     = 2 << 10          // the most that is kept of a child's standard error
)

// The errors of children.
var (
	ErrNotStarted = errors.New("did not start") // a server did not print its port
	ErrBroken     = errors.New("no answer")     // a child did not follow the protocol; abort it
)

// Child is a child process. Only one goroutine may use it.
type Child struct {
	PID  int
	Port int // of a server
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said strings.Builder // the beginning of its standard error
}

// Write takes what the child prints to its standard error.
func (c *Child) Write(p []byte) (int, error) {
	c.said.Write(p[:min(len(p), saidSize-c.said.Len())])
	return len(p), nil
}

// complaint returns what the child printed to its standard error, as one line, without stack
// traces. The child must have exited.
func (c *Child) complaint() string {
	s, _, _ := strings.Cut(c.said.String(), "\ngoroutine ")
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), 300)]
}

// Self is this program's executable.
const Self = "/proc/self/exe"

// Start starts cmd on the given CPU, or on AllCPUs. End or Abort must follow.
func Start(cmd *exec.Cmd, cpu int) (c *Child, err error) {
	c = &Child{cmd: cmd}
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	cmd.Stderr = c
	// gnet would log to its standard output before its main function. Level 2 is errors.
	cmd.Env = append(os.Environ(), "GNET_LOGGING_LEVEL=2")
	// A grandchild may hold the standard error open. Wait must return nevertheless.
	cmd.WaitDelay = time.Second
	// ^C interrupts the parent only, which ends its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := onCPU(cpu, cmd.Start); err != nil {
		return nil, err
	}
	c.PID = cmd.Process.Pid
	return c, nil
}

// StartServer starts a server and waits for its port. Its errors wrap ErrNotStarted.
func StartServer(cmd *exec.Cmd, cpu int) (*Child, error) {
	c, err := Start(cmd, cpu)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStarted, err)
	}
	if err := c.receive(startTimeout, &c.Port); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotStarted, c.Abort(err))
	}
	return c, nil
}

// reply is the answer to a request.
type reply[A any] struct {
	Err    string `json:",omitempty"`
	Answer A
}

// Ask sends a request and receives its answer. It kills the child after timeout. An error wraps
// ErrBroken, or is the child's error for the request.
func Ask[A any](c *Child, timeout time.Duration, request any) (answer A, err error) {
	if err := json.NewEncoder(c.in).Encode(request); err != nil {
		return answer, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	var r reply[A]
	if err := c.receive(timeout, &r); err != nil {
		return answer, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if r.Err != "" {
		return answer, errors.New(r.Err)
	}
	return r.Answer, nil
}

// receive decodes a line of the child's output.
func (c *Child) receive(timeout time.Duration, into any) error {
	t := c.killAfter(timeout)
	line, err := c.out.ReadBytes('\n')
	if !t.Stop() {
		return fmt.Errorf("nothing within %v", timeout)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("it printed %.60q instead of JSON", line)
	}
	return nil
}

// Answer is the child's side of Ask. It calls do with each request on in and prints the answer to
// out, until in ends.
func Answer[Q, A any](in io.Reader, out io.Writer, do func(Q) (A, error)) error {
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var request Q
		if err := dec.Decode(&request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var r reply[A]
		var err error
		if r.Answer, err = do(request); err != nil {
			r.Err = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
}

// End closes the child's standard input and waits until the child has exited. It kills the child
// after endTimeout. An exit status other than 0 is an error.
func (c *Child) End() error { return c.end(endTimeout) }

func (c *Child) end(timeout time.Duration) error {
	closed := c.in.Close()
	t := c.killAfter(timeout)
	err := c.cmd.Wait()
	if !t.Stop() {
		err = fmt.Errorf("it did not exit within %v of the end of its input and was killed", timeout)
	}
	if err = errors.Join(closed, err); err != nil {
		err = fmt.Errorf("%w: %s", err, c.complaint())
	}
	return err
}

// Abort kills the child and returns err, the reason, with what the child printed.
func (c *Child) Abort(err error) error {
	_ = c.cmd.Process.Kill() // as in killAfter
	// The exit status tells something only if the child had exited before.
	if exit := c.cmd.Wait(); errors.Is(err, io.EOF) && exit != nil {
		err = exit
	}
	if said := c.complaint(); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// killAfter kills the child after d, unless the caller stops the timer.
func (c *Child) killAfter(d time.Duration) *time.Timer {
	// Kill fails only if the child has exited.
	return time.AfterFunc(d, func() { _ = c.cmd.Process.Kill() })
}

// The settings that servers are measured in.
const (
	OneCore = "one-core" // the server on one CPU, the load generator on another
	Shared  = "shared"   // both on all CPUs
)

// AllCPUs stands for the number of a CPU.
const AllCPUs = -1

// CPUs returns the CPU of the server and that of the load generator in a setting.
func CPUs(setting string) (server, load int, err error) {
	switch {
	case setting == OneCore && runtime.NumCPU() > 1:
		return 0, 1, nil
	case setting == Shared:
		return AllCPUs, AllCPUs, nil
	case setting == OneCore:
		return 0, 0, fmt.Errorf("setting %s needs two CPUs and this process may use one; use setting %s", OneCore, Shared)
	}
	return 0, 0, fmt.Errorf("setting %q is unknown; use %s or %s", setting, OneCore, Shared)
}

// onCPU runs f on a thread that is bound to a CPU. A process that f starts inherits the binding.
func onCPU(cpu int, f func() error) error {
	if cpu == AllCPUs {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	set.Set(cpu)
	err := errors.Join(unix.SchedGetaffinity(0, &before), unix.SchedSetaffinity(0, &set))
	if err != nil {
		return fmt.Errorf("CPU %d: %w", cpu, err)
	}
	return errors.Join(f(), os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &before)))
}

// CPUTime returns the CPU time, user and system, of a process and its kernel threads (SQPOLL,
// io-wq). It fails if the process does not exist.
func CPUTime(pid int) (time.Duration, error) {
	// The clock id of a process's CPU time: clock_getcpuclockid(3).
	clock := int32(^uint32(pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}
