package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/proc"
)

// child is a child process.
type child struct {
	*proc.Child
	what string
}

// start runs this program as a child, on the given CPUs (nil: all).
func start(what string, cpus []int) (*child, error) {
	cmd, err := proc.Self(what)
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	c, err := proc.Start(cmd, cpus)
	if err != nil {
		return nil, err
	}
	return &child{c, what}, nil
}

// patience is how long a child may take for what should take a moment.
const patience = 15 * time.Second

// readPort reads the port that a server prints first. If the kernel refused it,
// why says so.
func (c *child) readPort() (why string, err error) {
	line, err := c.Line(patience)
	if err != nil {
		return "", fmt.Errorf("%s did not start: %w", c.what, err)
	}
	if why, ok := strings.CutPrefix(line, refusedMark); ok {
		return why, nil
	}
	c.Port, err = proc.ParsePort(line)
	return "", err
}

// end closes the child's standard input, which makes it exit.
func (c *child) end() error {
	if err := c.End(patience); err != nil {
		return fmt.Errorf("%s: %w", c.what, err)
	}
	return nil
}

// turn runs one job against a server.
func turn(generator, server *child, job load.Job) (res load.Result, err error) {
	job.Port, job.PID = server.Port, server.PID
	if err := json.NewEncoder(generator.In).Encode(job); err != nil {
		return res, err
	}
	line, err := generator.Line(patience + job.Warmup + job.Duration)
	if err != nil {
		return res, fmt.Errorf("the load: %w", err)
	}
	if err := json.Unmarshal([]byte(line), &res); err != nil {
		return res, err
	}
	if res.Err != "" {
		return res, errors.New(res.Err)
	}
	return res, nil
}
