package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/netring-go/netring/bench/internal/proc"
)

const (
	startTimeout = 15 * time.Second // for a server to print its port
	endTimeout   = 10 * time.Second // for a child to exit when its standard input is closed
	gcTimeout    = 30 * time.Second // for a server to collect its garbage
)

// child is a child process.
type child struct {
	*proc.Child
	errs *head
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

// start runs a child, on the given CPUs (nil: all).
func start(cmd *exec.Cmd, cpus []int) (*child, error) {
	errs := &head{}
	cmd.Stderr = errs
	// gnet logs to its standard output before its main function can say that it must
	// not: from level 2, errors, up.
	cmd.Env = append(os.Environ(), "GNET_LOGGING_LEVEL=2")
	// If a grandchild holds the standard error open, that must not keep Wait.
	cmd.WaitDelay = time.Second
	c, err := proc.Start(cmd, cpus)
	if err != nil {
		return nil, err
	}
	return &child{c, errs}, nil
}

// errNotStarted is the failure of a server to print its port.
var errNotStarted = errors.New("did not start")

// startServer runs a server and waits for its port.
func startServer(cmd *exec.Cmd, cpus []int) (*child, error) {
	c, err := start(cmd, cpus)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	line, err := c.Line(startTimeout)
	if err == nil {
		c.Port, err = proc.ParsePort(line)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotStarted, c.abort(err))
	}
	return c, nil
}

// abort kills the child and returns err, the reason, with what the child itself
// said.
func (c *child) abort(err error) error {
	// It was killed, so that its end has nothing to tell but how it had exited before.
	if exit := c.Kill(); err == io.EOF && exit != nil {
		err = exit
	}
	if said := c.errs.String(); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// end closes the child's standard input, which makes it exit.
func (c *child) end() error {
	if err := c.End(endTimeout); err != nil {
		return fmt.Errorf("%w: %s", err, c.errs)
	}
	return nil
}

// resident is the number of bytes of memory that the process has, after it has
// collected its garbage.
func (c *child) resident() (int64, error) {
	if _, err := fmt.Fprintln(c.In, collectGarbage); err != nil {
		return 0, err
	}
	line, err := c.Line(gcTimeout)
	if err != nil {
		return 0, err
	}
	if line != collected {
		return 0, fmt.Errorf("the server printed %.60q", line)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", c.PID))
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
