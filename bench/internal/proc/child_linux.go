package proc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Child is a child process that prints lines, and exits when its standard input is
// closed.
type Child struct {
	PID  int
	Port int            // of a server, as it printed it; for the caller to set
	In   io.WriteCloser // its standard input
	cmd  *exec.Cmd
	out  *bufio.Reader
}

// Self returns the command that runs this program again, as the child that what
// says.
func Self(what string, args ...string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(exe, append([]string{"-child", what}, args...)...), nil
}

// Start starts cmd on the given CPUs (nil: all). Its standard input and output
// must not be set.
func Start(cmd *exec.Cmd, cpus []int) (*Child, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := OnCPUs(cpus, cmd.Start); err != nil {
		return nil, err
	}
	return &Child{PID: cmd.Process.Pid, In: in, cmd: cmd, out: bufio.NewReader(out)}, nil
}

// Line reads a line of the child's output, and returns it without its end. The child
// is killed if that takes longer than timeout. If there is no line, the error is
// io.EOF.
func (c *Child) Line(timeout time.Duration) (string, error) {
	t := c.killAfter(timeout)
	line, err := c.out.ReadString('\n')
	if !t.Stop() {
		err = fmt.Errorf("no answer within %v", timeout)
	}
	return strings.TrimSpace(line), err
}

// ParsePort returns the port that a server printed as its first line.
func ParsePort(line string) (int, error) {
	port, err := strconv.Atoi(line)
	if err != nil {
		return 0, fmt.Errorf("it printed %.60q instead of its port", line)
	}
	return port, nil
}

// End closes the child's standard input and waits until it has exited. It is killed
// if that takes longer than timeout. Any exit status but 0 is an error.
func (c *Child) End(timeout time.Duration) error {
	closed := c.In.Close()
	t := c.killAfter(timeout)
	err := c.cmd.Wait()
	if !t.Stop() {
		err = fmt.Errorf("it had to be killed %v after its standard input was closed", timeout)
	}
	return errors.Join(closed, err)
}

// Kill kills the child, waits for it and returns how it exited: an error, unless it
// had exited with status 0 before.
func (c *Child) Kill() error {
	_ = c.cmd.Process.Kill() // as in killAfter
	return c.cmd.Wait()
}

// killAfter kills the child after d if it is not stopped.
func (c *Child) killAfter(d time.Duration) *time.Timer {
	// Killing fails only if it has exited.
	return time.AfterFunc(d, func() { _ = c.cmd.Process.Kill() })
}
