package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// runMessages keeps a message, or several pipelined HTTP requests, under way on
// each connection.
func (l *loader) runMessages() (res loadResult, err error) {
	l.step, l.next = l.exchange, l.start // which cannot be answered at once; an event will tell
	if l.job.Kind == loadEcho {
		l.answers = echoAnswers(l.job.Size)
		l.answers.all = true
		l.msg = l.answers.message
	} else {
		l.answers = httpAnswers()
	}
	if err := l.idle(); err != nil {
		return res, err
	}
	if l.job.Kind == loadHTTP {
		l.msg = []byte(strings.Repeat(load.Request, l.pipeline()))
	}
	if err := l.connectAll(l.job.Conns, func(*client) error { return nil }); err != nil {
		return res, err
	}
	for i := range l.conns {
		if c := &l.conns[i]; !c.idle {
			if err := l.start(c, time.Now()); err != nil {
				return res, err
			}
		}
	}
	return l.measure(l.loop)
}

// idle makes the connections that make one request, then none.
func (l *loader) idle() error {
	if l.job.Kind == loadHTTP {
		l.msg = []byte(load.Request)
	}
	return l.connectAll(l.job.Idle, func(c *client) error {
		c.idle = true
		l.queued++
		return l.start(c, time.Now())
	})
}

func (l *loader) pipeline() int { return max(l.job.Pipeline, 1) }

// start begins the next request on c, at the time now.
func (l *loader) start(c *client, now time.Time) error {
	c.sent, c.got, c.since = 0, 0, now
	l.answers.mark(c.id)
	return c.write(l.msg)
}

// exchange sends the rest of c's request and receives its answer.
func (l *loader) exchange(c *client) error {
	l.answers.mark(c.id)
	if c.sent < len(l.msg) && !c.since.IsZero() {
		if err := c.write(l.msg); err != nil {
			return err
		}
	}
	for {
		p, err := c.read(l.buf)
		if err == errAgain {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.answers.check(c.id, c.got, p); err != nil {
			return err
		}
		c.got += len(p)
		want := l.answers.length
		if !c.idle {
			want *= l.pipeline()
		}
		if c.got > want || c.since.IsZero() {
			return fmt.Errorf("an answer of %d bytes instead of %d", c.got, want)
		}
		if c.got == want {
			if c.idle {
				l.queued--
				c.since = time.Time{}
				return nil
			}
			now := time.Now()
			if err := l.Completed(c.since, now, int64(l.pipeline())); err != nil {
				return err
			}
			return l.next(c, now)
		}
		if len(p) < len(l.buf) {
			return nil // drained
		}
	}
}
