// Package child is the protocol between the benchmark and its child processes, which
// are the servers and the load generator.
//
// The first line that a server prints is its port. After that, each line that a child
// reads is a request, in JSON, and each line that it prints the answer to one. It exits
// when its standard input ends. What it has to complain about goes to its standard
// error.
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
	endTimeout   = 10 * time.Second // for a child to exit when its standard input is closed
)

var (
	// ErrNotStarted is the failure of a server to print its port.
	ErrNotStarted = errors.New("did not start")
	// ErrBroken is the failure of a child to follow the protocol. It must be
	// aborted.
	ErrBroken = errors.New("no answer")
)

// Child is a child process. It is for one goroutine.
type Child struct {
	PID  int
	Port int // of a server
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said strings.Builder // the beginning of its standard error
}

// saidSize is how much is kept of a child's standard error.
const saidSize = 2 << 10

// Write takes what the child writes to its standard error.
func (c *Child) Write(p []byte) (int, error) {
	c.said.Write(p[:min(len(p), saidSize-c.said.Len())])
	return len(p), nil
}

// complaint returns what the child wrote to its standard error, as one line, without
// stack traces. The child must have exited.
func (c *Child) complaint() string {
	s, _, _ := strings.Cut(c.said.String(), "\ngoroutine ")
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), 300)]
}

// Self is the file of this program.
const Self = "/proc/self/exe"

// Start starts cmd on the given CPU (AllCPUs: all).
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
	// gnet logs to its standard output before its main function can say that it must
	// not: from level 2, errors, up.
	cmd.Env = append(os.Environ(), "GNET_LOGGING_LEVEL=2")
	// If a grandchild holds the standard error open, that must not keep Wait.
	cmd.WaitDelay = time.Second
	// ^C is for the parent, which ends its children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := onCPU(cpu, cmd.Start); err != nil {
		return nil, err
	}
	c.PID = cmd.Process.Pid
	return c, nil
}

// StartServer starts a server and waits for its port. Its errors are ErrNotStarted.
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

// reply is a line that answers a request.
type reply[A any] struct {
	Err    string `json:",omitempty"`
	Answer A
}

// Ask sends a request and receives its answer. The child is killed if that takes longer
// than timeout. An error is ErrBroken, or what the child says of the request.
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
		return fmt.Errorf("it printed %.60q", line)
	}
	return nil
}

// Answer is the child's side of Ask: it prints to out what do answers to each request
// on in, until in ends.
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

// End closes the child's standard input and waits until it has exited. It is killed
// if that takes too long. Any exit status but 0 is an error.
func (c *Child) End() error { return c.end(endTimeout) }

func (c *Child) end(timeout time.Duration) error {
	closed := c.in.Close()
	t := c.killAfter(timeout)
	err := c.cmd.Wait()
	if !t.Stop() {
		err = fmt.Errorf("it had to be killed %v after its standard input was closed", timeout)
	}
	if err = errors.Join(closed, err); err != nil {
		err = fmt.Errorf("%w: %s", err, c.complaint())
	}
	return err
}

// Abort kills the child and returns err, the reason, with what the child itself said.
func (c *Child) Abort(err error) error {
	_ = c.cmd.Process.Kill() // as in killAfter
	// It was killed, so that its end has nothing to tell but how it had exited before.
	if exit := c.cmd.Wait(); errors.Is(err, io.EOF) && exit != nil {
		err = exit
	}
	if said := c.complaint(); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// killAfter kills the child after d if it is not stopped.
func (c *Child) killAfter(d time.Duration) *time.Timer {
	// Killing fails only if it has exited.
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
		return 0, 0, errors.New("setting one-core needs two CPUs, one for the server and one for the load; this process may use one")
	}
	return 0, 0, fmt.Errorf("unknown setting %q: use %s or %s", setting, OneCore, Shared)
}

// onCPU runs f on a thread that is bound to a CPU, which what f starts inherits. It
// returns f's error, or that of binding the thread.
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

// CPUTime is the CPU time, user and system, that a process has used, its kernel
// threads (SQPOLL, io-wq) included. It fails if there is no such process.
func CPUTime(pid int) (time.Duration, error) {
	// The clock id of a process's CPU time, see clock_getcpuclockid(3).
	clock := int32(^uint32(pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}
