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

// loadJob is what the parent asks of the load: keep conns connections busy, each
// with one request under way at a time.
type loadJob struct {
	Port     int
	Conns    int
	Warmup   time.Duration
	Duration time.Duration
}

// loadResult is the answer.
type loadResult struct {
	Requests int64
	Elapsed  time.Duration
	P50, P99 time.Duration
	CPU      time.Duration // of the server, filled in by the parent
	Err      string
}

const httpRequest = "GET / HTTP/1.1\r\nHost: modes\r\n\r\n"

// What the load prints when it starts and stops counting. The parent takes the
// server's CPU time then.
const (
	markStart = `"start"`
	markEnd   = `"end"`
)

// runLoad is the load's process: it reads a job from each line of in and writes
// the result to out.
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
		l := &loader{job: job, out: out, msg: []byte(httpRequest), buf: make([]byte, 64<<10), hist: hdrhistogram.New(1, int64(time.Minute), 3)}
		res, err := l.run()
		if err != nil {
			res.Err = err.Error()
		}
		if err := enc.Encode(res); err != nil {
			return err
		}
	}
}

// loader runs one job.
type loader struct {
	job   loadJob
	out   io.Writer
	epfd  int
	conns []client
	msg   []byte
	buf   []byte
	hist  *hdrhistogram.Histogram
	count bool
	done  int64
}

// client is one connection.
type client struct {
	fd    int
	got   int       // bytes of the answer read
	since time.Time // when the request was sent
}

func (l *loader) run() (res loadResult, err error) {
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return res, os.NewSyscallError("epoll_create1", err)
	}
	defer func() {
		for _, c := range l.conns {
			err = errors.Join(err, unix.Close(c.fd))
		}
		err = errors.Join(err, unix.Close(l.epfd))
	}()
	for i := range l.job.Conns {
		if err := l.connect(i); err != nil {
			return res, err
		}
	}
	for i := range l.conns {
		if err := l.start(&l.conns[i], time.Now()); err != nil {
			return res, err
		}
	}
	if err := l.loop(time.Now().Add(l.job.Warmup)); err != nil {
		return res, err
	}
	if _, err := fmt.Fprintln(l.out, markStart); err != nil {
		return res, err
	}
	l.count = true
	begin := time.Now()
	if err := l.loop(begin.Add(l.job.Duration)); err != nil {
		return res, err
	}
	// A short turn on a machine that paused it may have seen no answer at all.
	for l.done == 0 && time.Since(begin) < l.job.Duration+noAnswer {
		if err := l.loop(time.Now().Add(10 * time.Millisecond)); err != nil {
			return res, err
		}
	}
	res.Elapsed = time.Since(begin)
	if _, err := fmt.Fprintln(l.out, markEnd); err != nil {
		return res, err
	}
	res.Requests = l.done
	res.P50 = time.Duration(l.hist.ValueAtQuantile(50))
	res.P99 = time.Duration(l.hist.ValueAtQuantile(99))
	return res, nil
}

// noAnswer is how long after the end of its turn a server may still give its
// first answer.
const noAnswer = 5 * time.Second

func (l *loader) connect(i int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	l.conns = append(l.conns, client{fd: fd})
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: l.job.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return os.NewSyscallError("connect", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(i)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &ev))
}

func (l *loader) loop(until time.Time) error {
	var events [512]unix.EpollEvent
	for {
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		n, err := unix.EpollWait(l.epfd, events[:], int(left/time.Millisecond)+1)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		for i := range max(n, 0) {
			if err := l.step(&l.conns[events[i].Fd]); err != nil {
				return err
			}
		}
	}
}

// start sends the next request on c, at the time now.
func (l *loader) start(c *client, now time.Time) error {
	c.got, c.since = 0, now
	n, errno := sendRaw(c.fd, l.msg)
	if errno != 0 {
		return os.NewSyscallError("send", errno)
	}
	if n < len(httpRequest) { // its predecessor was answered, so there is room
		return fmt.Errorf("%d bytes of a request of %d sent", n, len(httpRequest))
	}
	return nil
}

// step reads what has come on c.
func (l *loader) step(c *client) error {
	for {
		n, errno := recvRaw(c.fd, l.buf)
		switch {
		case errno == unix.EAGAIN:
			return nil
		case errno != 0:
			return os.NewSyscallError("recv", errno)
		case n == 0:
			return errors.New("the server closed a connection")
		case c.got+n > len(answer) || string(l.buf[:n]) != answer[c.got:c.got+n]:
			return fmt.Errorf("a wrong answer: %.100q", l.buf[:n])
		}
		if c.got += n; c.got < len(answer) {
			continue
		}
		now := time.Now()
		if l.count {
			l.done++
			if err := l.hist.RecordValue(min(int64(now.Sub(c.since)), int64(time.Minute))); err != nil {
				return err
			}
		}
		return l.start(c, now) // its answer makes an event
	}
}
