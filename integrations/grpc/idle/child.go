package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// What the parent asks a child for, one word in a line. A child answers each with a line,
// and exits when its standard input ends.
const (
	cmdConnect = "connect" // of a client: make the connections
	cmdUsage   = "usage"   // what the process uses, in JSON
	done       = "done"    // the answer to connect
)

// answerTimeout is how long a child may take for an answer.
const answerTimeout = 5 * time.Minute

// child is a process of this program.
type child struct {
	role string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// start starts a child. The caller must end it.
func start(role, variant, target string, conns int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-role", role, "-variants", variant, "-target", target, "-conns", strconv.Itoa(conns))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{role, cmd, in, bufio.NewReader(out)}, nil
}

// end waits for the child's exit.
func (c *child) end() error {
	err := c.in.Close()
	defer c.killLater().Stop()
	if werr := c.cmd.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("the %s: %w", c.role, werr))
	}
	return err
}

// killLater kills the child unless the timer is stopped in time.
func (c *child) killLater() *time.Timer {
	return time.AfterFunc(answerTimeout, func() {
		_ = c.cmd.Process.Kill() // it fails if the child has exited
	})
}

// line reads a line that the child prints.
func (c *child) line() (string, error) {
	defer c.killLater().Stop()
	s, err := c.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the %s did not answer: %w", c.role, err)
	}
	return strings.TrimSuffix(s, "\n"), nil
}

// ask asks for something that is answered with done.
func (c *child) ask(what string) error {
	if _, err := fmt.Fprintln(c.in, what); err != nil {
		return err
	}
	answer, err := c.line()
	if err == nil && answer != done {
		err = fmt.Errorf("the %s answered %q to %q", c.role, answer, what)
	}
	return err
}

// usage asks for what the child uses.
func (c *child) usage() (u usage, err error) {
	if _, err := fmt.Fprintln(c.in, cmdUsage); err != nil {
		return u, err
	}
	answer, err := c.line()
	if err != nil {
		return u, err
	}
	return u, json.Unmarshal([]byte(answer), &u)
}

// answer is the child's side: it calls do with each line of in and prints the results.
func answer(in io.Reader, out io.Writer, do func(what string) (string, error)) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		s, err := do(lines.Text())
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, s); err != nil {
			return err
		}
	}
	return lines.Err()
}
