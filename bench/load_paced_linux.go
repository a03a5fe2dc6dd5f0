package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// pacer says when requests are due: at random, with exponential times in between, the
// same ones for every server.
type pacer struct {
	timer   int // a timerfd, which tells of the next one
	random  *rand.Rand
	mean    time.Duration
	next    time.Time
	overdue []time.Time // those that no connection was free for
	free    []*client
}

// timerID is the timer's number in the epoll set, where clients have theirs.
const timerID = -1

// runPaced sends HTTP requests when they are due, whether or not earlier ones have
// been answered, each on a connection that has none under way. A latency counts from
// then on, also where the request had to wait for a connection.
func (l *loader) runPaced() (res loadResult, err error) {
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return res, os.NewSyscallError("timerfd_create", err)
	}
	defer func() { err = errors.Join(err, os.NewSyscallError("close", unix.Close(timer))) }()
	if err := l.epoll.Add(timer, unix.EPOLLIN|unix.EPOLLET, timerID); err != nil {
		return res, err
	}
	l.step, l.next = l.exchange, l.release
	l.answers, l.msg = httpAnswers(), []byte(load.Request)
	p := &pacer{timer: timer, random: rand.New(rand.NewPCG(1, 2)), mean: time.Second / time.Duration(l.job.Rate)}
	l.pace = p
	if err := l.connectAll(l.job.Conns, func(c *client) error {
		p.free = append(p.free, c)
		return nil
	}); err != nil {
		return res, err
	}
	p.next = time.Now()
	if err := l.tick(); err != nil {
		return res, err
	}
	return l.measure(l.loop)
}

// tick starts the requests that are due, and sets the timer to the next.
func (l *loader) tick() error {
	p := l.pace
	now := time.Now()
	for ; !p.next.After(now); p.next = p.next.Add(time.Duration(p.random.ExpFloat64() * float64(p.mean))) {
		n := len(p.free)
		if n == 0 {
			p.overdue = append(p.overdue, p.next)
			continue
		}
		c := p.free[n-1]
		p.free = p.free[:n-1]
		if err := l.start(c, p.next); err != nil {
			return err
		}
	}
	// A time of 0 would disarm it. To set it also takes back that it has expired.
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(time.Until(p.next), 1)))}
	return os.NewSyscallError("timerfd_settime", unix.TimerfdSettime(p.timer, 0, &spec, nil))
}

// release has c, whose answer is complete, make the request that is longest overdue,
// if there is one.
func (l *loader) release(c *client, _ time.Time) error {
	p := l.pace
	if len(p.overdue) == 0 {
		c.since = time.Time{}
		p.free = append(p.free, c)
		return nil
	}
	due := p.overdue[0]
	p.overdue = p.overdue[1:]
	return l.start(c, due)
}
