package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// turnTimeout bounds what a turn may take beside its own length: making the
// connections, above all.
const turnTimeout = 60 * time.Second

// errLoad is a failure of the load generator's process, which must not be used on.
var errLoad = errors.New("the load generator")

// turn runs one job against a server.
func turn(load, server *child, job loadJob) (res loadResult, err error) {
	job.Port, job.PID = server.Port, server.PID
	if err := json.NewEncoder(load.In).Encode(job); err != nil {
		return res, fmt.Errorf("%w: %w", errLoad, err)
	}
	var rss [2]int64
	take := func(i int) (err error) {
		if rss[i], err = server.resident(); err == nil {
			_, err = fmt.Fprintln(load.In, "true")
		}
		return err
	}
	for end := time.Now().Add(turnTimeout + job.Warmup + job.Duration); ; {
		line, err := load.Line(time.Until(end))
		if err != nil {
			return res, fmt.Errorf("%w: %w", errLoad, err)
		}
		switch line {
		case markStart:
			err = take(0)
		case markEnd:
			err = take(1)
		default:
			if err := json.Unmarshal([]byte(line), &res); err != nil {
				return res, fmt.Errorf("%w: %w", errLoad, err)
			}
			if res.Err != "" {
				return res, errors.New(strings.ReplaceAll(res.Err, "\n", "; "))
			}
			res.RSSBefore, res.RSSAfter = rss[0], rss[1]
			return res, nil
		}
		if err != nil {
			// The load generator may wait for an answer that it will not get.
			return res, fmt.Errorf("%w was interrupted: %w", errLoad, err)
		}
	}
}
