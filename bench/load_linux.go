package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// runLoad is the load generator's process: it reads a job from each line of in
// and writes the result to out. It is one thread with an epoll loop of its own,
// to load the machine as little as possible itself.
func runLoad(in io.Reader, out io.Writer) error {
	runtime.LockOSThread()
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var job loadJob
		if err := dec.Decode(&job); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		l, err := newLoader(job, dec, out)
		if err != nil {
			return err
		}
		res, err := l.run()
		if err = errors.Join(err, l.close()); err != nil {
			res.Err = err.Error()
		}
		if err := enc.Encode(res); err != nil {
			return err
		}
	}
}

// loader runs one job.
type loader struct {
	job    loadJob
	in     *json.Decoder
	out    io.Writer
	epfd   int
	conns  []client
	step   func(c *client) error // does what c is ready for
	buf    []byte
	hist   *hdrhistogram.Histogram
	count  bool  // measuring
	done   int64 // since then
	unit   int64 // how much of done counts as a request
	queued int   // requests still to come from idle connections

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
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &loader{
		job: job, in: in, out: out, epfd: epfd, unit: 1,
		hist: hdrhistogram.New(1, int64(time.Minute), 3),
		buf:  make([]byte, 256<<10),
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
	return errors.Join(append(errs, os.NewSyscallError("close", unix.Close(l.epfd)))...)
}

func (l *loader) run() (res loadResult, err error) {
	switch l.job.Kind {
	case loadHTTP, loadEcho:
		return l.runMessages()
	case loadClose:
		return l.runClose()
	case loadTLS:
		return l.runTLS()
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

// noAnswer is how long after the end of its turn a server may still give its
// first answer.
const noAnswer = 5 * time.Second

// measure runs loop to warm up, then to measure.
func (l *loader) measure(loop func(until time.Time) error) (res loadResult, err error) {
	if err := loop(time.Now().Add(l.job.Warmup)); err != nil {
		return res, err
	}
	if l.answers != nil {
		l.answers.all = false
	}
	before, err := cpuTime(l.job.PID)
	if err != nil {
		return res, err
	}
	l.count, l.done = true, 0
	begin := time.Now()
	end := begin.Add(l.job.Duration)
	if err := loop(end); err != nil {
		return res, err
	}
	// A short turn on a machine that paused it may have seen no answer at all.
	for l.done < l.unit && time.Since(end) < noAnswer {
		if err := loop(time.Now().Add(10 * time.Millisecond)); err != nil {
			return res, err
		}
	}
	res.Elapsed = time.Since(begin)
	l.count = false
	after, err := cpuTime(l.job.PID)
	if err != nil {
		return res, err
	}
	res.CPU = after - before
	res.Requests = l.done / l.unit
	res.P50 = time.Duration(l.hist.ValueAtQuantile(50))
	res.P99 = time.Duration(l.hist.ValueAtQuantile(99))
	return res, nil
}

// loop waits for events and does what they allow, until the given time.
func (l *loader) loop(until time.Time) error {
	for {
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		if err := l.events(left); err != nil {
			return err
		}
	}
}

// events waits for events at most so long and does what they allow.
func (l *loader) events(wait time.Duration) error {
	var events [512]unix.EpollEvent
	wait = max(wait, 0) // a negative time would mean for ever
	n, err := unix.EpollWait(l.epfd, events[:], int((wait+time.Millisecond-1)/time.Millisecond))
	if err != nil && err != unix.EINTR {
		return os.NewSyscallError("epoll_wait", err)
	}
	for i := range max(n, 0) {
		if err := l.step(&l.conns[events[i].Fd]); err != nil {
			return err
		}
	}
	return nil
}

// completed counts n requests that c has just had its answers to.
func (l *loader) completed(since, now time.Time, n int64) error {
	if !l.count {
		return nil
	}
	l.done += n
	return l.hist.RecordValue(int64(now.Sub(since)))
}
