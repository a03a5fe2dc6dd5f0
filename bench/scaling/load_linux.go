package main

import (
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// job is what the load does to a server for a while.
type job struct {
	conns int  // kept busy, each with one request under way at a time
	fresh bool // each request on a connection of its own
	dur   time.Duration
}

// run runs j against c.
func run(c *child, j job) (res load.Result, err error) {
	turn := load.Job{Port: c.Port, PID: c.PID, Conns: j.conns, Fresh: j.fresh, Warmup: j.dur / 8, Duration: j.dur}
	if !c.cfg.OneCore {
		return turn.Run()
	}
	err = onThread(1, func() (err error) {
		res, err = turn.Run()
		return err
	})
	return res, err
}
