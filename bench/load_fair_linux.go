package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// fairInterval is how often each quiet connection sends a message.
const fairInterval = 2 * time.Millisecond

// floodPiece is how much of the flood is sent at a time.
const floodPiece = 16 << 10

// floodWindow bounds what the flood has under way; it is more than sockets hold.
const floodWindow = 64 << 20

// fair is the state of a loadFair job.
type fair struct {
	*loader
	timer    int // descriptor of the clock that sends the messages
	ticks    int // of it
	epoch    time.Time
	interval time.Duration // between messages of all quiet connections together
	due      [][]time.Time // when the messages that each has still to send were due
	flood    *client       // nil: not yet
	pattern  []byte
	echoed   int64
}

// runFair sends messages on quiet connections by the clock, first alone, then
// beside a connection that sends as much as it can. A message that could not be
// sent in time counts from when it should have been.
func (l *loader) runFair() (res loadResult, err error) {
	f := &fair{loader: l, interval: fairInterval / time.Duration(l.job.Conns), due: make([][]time.Time, l.job.Conns)}
	l.answers = echoAnswers(l.job.Size)
	l.answers.all = true
	l.msg = l.answers.message
	l.step = f.answer
	f.pattern = pattern()
	if err := l.connectAll(l.job.Conns+1, func(*client) error { return nil }); err != nil {
		return res, err
	}
	if f.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return res, os.NewSyscallError("timerfd_create", err)
	}
	l.conns = append(l.conns, client{id: len(l.conns), fd: f.timer}) // to be closed with them
	if err := l.epoll.Add(f.timer, unix.EPOLLIN|unix.EPOLLET, len(l.conns)-1); err != nil {
		return res, err
	}
	every := unix.NsecToTimespec(int64(f.interval))
	f.epoch = time.Now()
	if err := unix.TimerfdSettime(f.timer, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		return res, os.NewSyscallError("timerfd_settime", err)
	}

	l.job.Duration /= 2
	alone, err := l.measure(f.loop)
	if err != nil {
		return res, fmt.Errorf("without the flood: %w", err)
	}
	l.Hist.Reset()
	f.flood = &l.conns[l.job.Conns]
	if res, err = l.measure(f.loop); err != nil {
		return res, fmt.Errorf("beside the flood: %w", err)
	}
	res.AloneP50, res.AloneP99, res.FloodBytes = alone.P50, alone.P99, f.echoed
	return res, nil
}

// loop is loader.loop with the flood. A turn of it does little for the flood, so
// that quiet connections wait for the server and not for the load generator.
func (f *fair) loop(until time.Time) error {
	for {
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		if f.flood != nil {
			more, err := f.pump()
			if err != nil {
				return err
			}
			if more {
				left = 0
			}
		}
		if err := f.events(left); err != nil {
			return err
		}
	}
}

// pump sends and receives a piece of the flood, and says whether there may be
// more to do at once.
func (f *fair) pump() (more bool, err error) {
	c := f.flood
	if c.sent-c.got < floodWindow {
		at := c.sent % patternSize
		n, errno := load.Write(c.fd, f.pattern[at:min(patternSize, at+floodPiece)])
		if errno != 0 && errno != unix.EAGAIN {
			return false, os.NewSyscallError("write", errno)
		}
		if errno == 0 {
			c.sent += n
			more = true
		}
	}
	at := c.got % patternSize
	p, err := c.read(f.buf[:patternSize-at])
	if err == errAgain {
		return more, nil
	}
	if err != nil {
		return false, err
	}
	if !bytes.Equal(p, f.pattern[at:at+len(p)]) || c.got+len(p) > c.sent {
		return false, fmt.Errorf("wrong bytes at offset %d of the flood", c.got)
	}
	c.got += len(p)
	if f.Counting {
		f.echoed += int64(len(p))
	}
	return true, nil
}

// answer receives the answer to a quiet connection's message, or a tick.
func (f *fair) answer(c *client) error {
	switch {
	case c.fd == f.timer:
		return f.tick()
	case c.id == f.job.Conns || c.since.IsZero(): // the flood, see pump; nothing under way
		return nil
	}
	for {
		p, err := c.read(f.buf)
		if err == errAgain {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.answers.check(c.id, c.got, p); err != nil {
			return err
		}
		if c.got += len(p); c.got < len(f.msg) {
			continue
		}
		if c.got > len(f.msg) {
			return fmt.Errorf("an answer of %d bytes instead of %d", c.got, len(f.msg))
		}
		if err := f.Completed(c.since, time.Now(), 1); err != nil {
			return err
		}
		c.since = time.Time{}
		return f.next(c)
	}
}

// tick sends the messages that are due.
func (f *fair) tick() error {
	var count [8]byte
	_, errno := load.Read(f.timer, count[:])
	if errno == unix.EAGAIN {
		return nil
	}
	if errno != 0 {
		return os.NewSyscallError("read", errno)
	}
	for range binary.NativeEndian.Uint64(count[:]) {
		i := f.ticks % len(f.due)
		f.ticks++
		f.due[i] = append(f.due[i], f.epoch.Add(time.Duration(f.ticks)*f.interval))
		if err := f.next(&f.conns[i]); err != nil {
			return err
		}
	}
	return nil
}

// next sends the next message that is due on c, unless c waits for an answer.
func (f *fair) next(c *client) error {
	if !c.since.IsZero() || len(f.due[c.id]) == 0 {
		return nil
	}
	since := f.due[c.id][0]
	f.due[c.id] = f.due[c.id][1:]
	if err := f.start(c, since); err != nil {
		return err
	}
	if c.sent < len(f.msg) {
		return fmt.Errorf("connection %d has no room for a message", c.id)
	}
	return nil
}
