package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// holdFirst is how many connections are made before the server's memory is first
// looked at: they make it allocate what it needs once.
const holdFirst = 64

// runHold makes connections that exchange one message each and then do nothing,
// and holds them while the parent looks at the server's memory.
func (l *loader) runHold() (res loadResult, err error) {
	l.step = l.exchange
	l.answers = echoAnswers(l.job.Size)
	l.answers.all = true
	l.msg = l.answers.message
	first := func(c *client) error {
		c.idle = true
		l.queued++
		return l.start(c, time.Now())
	}
	if err := l.connectAll(holdFirst, first); err != nil {
		return res, err
	}
	if err := l.rendezvous(markStart); err != nil {
		return res, err
	}
	begin := time.Now()
	if err := l.connectAll(l.job.Idle, first); err != nil {
		return res, err
	}
	if err := l.rendezvous(markEnd); err != nil {
		return res, err
	}
	res.Requests, res.Elapsed = int64(l.job.Idle), time.Since(begin)
	return res, nil
}

// rendezvous prints the mark and waits for the parent's line.
func (l *loader) rendezvous(mark string) error {
	if _, err := fmt.Fprintln(l.out, mark); err != nil {
		return err
	}
	var line json.RawMessage
	if err := l.in.Decode(&line); err == io.EOF {
		return io.ErrUnexpectedEOF
	} else if err != nil {
		return err
	}
	return nil
}
