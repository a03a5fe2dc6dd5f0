package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/netring-go/netring/bench/internal/proc"
)

// child is a server's process.
type child struct {
	*proc.Child
	cfg serverConfig
}

// patience is how long a child may take for what should take a moment.
const patience = 10 * time.Second

func start(cfg serverConfig) (*child, error) {
	cmd, err := proc.Self(cfg.String())
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	c := &child{cfg: cfg}
	startIt := func() (err error) {
		c.Child, err = proc.Start(cmd, nil)
		return err
	}
	if cfg.OneCore {
		err = onThread(0, startIt)
	} else {
		err = startIt()
	}
	if err != nil {
		return nil, err
	}
	line, err := c.Line(patience)
	if err == nil {
		c.Port, err = proc.ParsePort(line)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("server %v did not start: %w", cfg, err), c.end())
	}
	return c, nil
}

// snapshot asks the server about itself.
func (c *child) snapshot() (s snapshot, err error) {
	if _, err := io.WriteString(c.In, "\n"); err != nil {
		return s, err
	}
	line, err := c.Line(patience)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(line), &s)
}

func (c *child) end() error { return c.End(patience) }
