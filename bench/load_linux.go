package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// runLoad is the load generator's process: it reads a job from each line of in
// and writes the result to out. It is one thread with an epoll loop of its own,
// to load the machine as little as possible itself.
func runLoad(in io.Reader, out io.Writer) error {
	dec := json.NewDecoder(in)
	return load.Serve(dec, out, func(job loadJob) (res loadResult, err error) {
		l, err := newLoader(job, dec, out)
		if err != nil {
			return res, err
		}
		res, err = l.run()
		if err = errors.Join(err, l.close()); err != nil {
			res.Err = err.Error()
		}
		return res, nil
	})
}

// loader runs one job.
type loader struct {
	load.Meter
	job    loadJob
	in     *json.Decoder
	out    io.Writer
	epoll  *load.Epoll
	conns  []client
	step   func(c *client) error                // does what c is ready for
	next   func(c *client, now time.Time) error // after an answer that is complete
	pace   *pacer                               // of loadPaced
	buf    []byte
	queued int // requests still to come from idle connections

	answers *answers
	msg     []byte // what is sent as one request
}

// client is one connection.
type client struct {
	id    int
	fd    int // -1: closed
	idle  bool
	sent  int       // bytes of the request written
	got   int       // bytes of the answer read
	since time.Time // when the request was started
}

func newLoader(job loadJob, in *json.Decoder, out io.Writer) (*loader, error) {
	epoll, err := load.NewEpoll()
	if err != nil {
		return nil, err
	}
	return &loader{
		job: job, in: in, out: out, epoll: epoll,
		Meter: load.NewMeter(),
		buf:   make([]byte, 256<<10),
		// The clients must not move while more of them are made.
		conns: make([]client, 0, job.Conns+job.Idle+8),
	}, nil
}

// close hangs up.
func (l *loader) close() error {
	var errs []error
	for _, c := range l.conns {
		if c.fd >= 0 {
			errs = append(errs, os.NewSyscallError("close", unix.Close(c.fd)))
		}
	}
	return errors.Join(append(errs, l.epoll.Close())...)
}

func (l *loader) run() (res loadResult, err error) {
	switch l.job.Kind {
	case loadHTTP, loadEcho:
		return l.runMessages()
	case loadPaced:
		return l.runPaced()
	case loadClose:
		return l.runClose()
	case loadTLS:
		return l.runTLS()
	case loadGRPC:
		return l.runGRPC()
	case loadBroadcast:
		return l.runBroadcast()
	case loadFile, loadSource, loadSink, loadProxy:
		return l.runBulk()
	case loadHold:
		return l.runHold()
	case loadFair:
		return l.runFair()
	}
	return res, fmt.Errorf("unknown kind of load %q", l.job.Kind)
}

// measure runs loop to warm up, then to measure.
func (l *loader) measure(loop func(until time.Time) error) (res loadResult, err error) {
	if err := loop(time.Now().Add(l.job.Warmup)); err != nil {
		return res, err
	}
	if l.answers != nil {
		l.answers.all = false
	}
	res.Result, err = l.Measure(l.job.PID, l.job.Duration, loop)
	return res, err
}

// loop waits for events and does what they allow, until the given time.
func (l *loader) loop(until time.Time) error { return l.epoll.Loop(until, l.ready) }

// events waits for events at most so long and does what they allow.
func (l *loader) events(wait time.Duration) error { return l.epoll.Wait(wait, l.ready) }

func (l *loader) ready(id int) error {
	if id == timerID {
		return l.tick()
	}
	return l.step(&l.conns[id])
}
