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
	"time"

	"golang.org/x/sys/unix"
)

// proc is a server's process.
type proc struct {
	cfg  serverConfig
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
	port int
}

// onThread runs f on a thread of its own on the CPU with the number i, which what f
// starts inherits.
func onThread(i int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // to the end: the thread goes with the goroutine
		onCPU(i)
		done <- f()
	}()
	return <-done
}

// patience is how long a child may take for what should take a moment.
const patience = 10 * time.Second

func start(cfg serverConfig) (p *proc, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p = &proc{cfg: cfg, cmd: exec.Command(exe, "-child", cfg.String())}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = json.NewDecoder(bufio.NewReader(out))
	startIt := p.cmd.Start
	if cfg.OneCore {
		startIt = func() error { return onThread(0, p.cmd.Start) }
	}
	if err := startIt(); err != nil {
		return nil, err
	}
	defer p.within(patience)()
	if err := p.out.Decode(&p.port); err != nil {
		return nil, errors.Join(fmt.Errorf("server %v did not start: %w", cfg, err), p.end())
	}
	return p, nil
}

// within bounds a wait for the child: when the time is up, it is killed, which
// ends its output.
func (p *proc) within(d time.Duration) (stop func()) {
	t := time.AfterFunc(d, func() {
		// It may have ended just now; Wait tells what became of it.
		_ = p.cmd.Process.Kill()
	})
	return func() { t.Stop() }
}

// snapshot asks the server about itself.
func (p *proc) snapshot() (s snapshot, err error) {
	defer p.within(patience)()
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		return s, err
	}
	return s, p.out.Decode(&s)
}

func (p *proc) end() error {
	defer p.within(patience)()
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// cpuTime is the CPU time that the process has used.
func (p *proc) cpuTime() (time.Duration, error) {
	// The clock id of a process's CPU time, see clock_getcpuclockid(3).
	clock := int32(^uint32(p.cmd.Process.Pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}
