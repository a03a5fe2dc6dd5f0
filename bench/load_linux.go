package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// loadJob is what the parent asks of the load generator: keep conns connections
// to a server busy, each with one message under way at a time, for a while.
type loadJob struct {
	Port     int
	Conns    int
	Size     int    // bytes of an echo message; 0 means HTTP
	Bulk     string // "file" or "proxy": move as many bytes as possible instead
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

const httpRequest = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"

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
		l := &loader{job: job, out: out}
		run := l.run
		if job.Bulk != "" {
			run = l.runBulk
		}
		res, err := run()
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
	reply int // bytes of an answer; 0: not known yet
	hist  *hdrhistogram.Histogram
	count bool
	done  int64
}

// client is one connection.
type client struct {
	fd    int
	sent  int       // bytes of the request written
	got   int       // bytes of the answer read
	since time.Time // when the request was started
}

func (l *loader) run() (res loadResult, err error) {
	l.hist = hdrhistogram.New(1, int64(time.Minute), 3)
	l.buf = make([]byte, 256<<10)
	l.msg = []byte(httpRequest)
	if l.job.Size > 0 {
		l.msg = bytes.Repeat([]byte("netring "), l.job.Size/8+1)[:l.job.Size]
		l.reply = l.job.Size
	}
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
	// The parent takes the server's CPU time when it sees these marks.
	if _, err := fmt.Fprintln(l.out, markStart); err != nil {
		return res, err
	}
	l.count = true
	begin := time.Now()
	end := begin.Add(l.job.Duration)
	if err := l.loop(end); err != nil {
		return res, err
	}
	// A short turn on a machine that paused it may have seen no answer at all.
	for l.done == 0 && time.Since(end) < noAnswer {
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

const (
	markStart = `"start"`
	markEnd   = `"end"`
)

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
	if err := unix.SetNonblock(fd, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLET, Fd: int32(i)}
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

// start begins the next request on c, at the time now.
func (l *loader) start(c *client, now time.Time) error {
	c.sent, c.got, c.since = 0, 0, now
	return l.write(c)
}

func (l *loader) write(c *client) error {
	for c.sent < len(l.msg) {
		n, errno := rawIO(unix.SYS_WRITE, c.fd, l.msg[c.sent:])
		if errno == unix.EAGAIN {
			return nil
		}
		if errno != 0 {
			return os.NewSyscallError("write", errno)
		}
		c.sent += n
	}
	return nil
}

// step does what c is ready for.
func (l *loader) step(c *client) error {
	if err := l.write(c); err != nil {
		return err
	}
	for {
		n, errno := rawIO(unix.SYS_READ, c.fd, l.buf)
		if errno == unix.EAGAIN {
			return nil
		}
		if errno != 0 {
			return os.NewSyscallError("read", errno)
		}
		if n == 0 {
			return errors.New("the server closed a connection")
		}
		if l.job.Size == 0 && c.got == 0 {
			if err := l.checkHTTP(l.buf[:n]); err != nil {
				return err
			}
		}
		c.got += n
		if c.got > l.reply {
			return fmt.Errorf("an answer of %d bytes is longer than %d", c.got, l.reply)
		}
		if c.got == l.reply {
			now := time.Now()
			if l.count {
				l.done++
				if err := l.hist.RecordValue(int64(now.Sub(c.since))); err != nil {
					return err
				}
			}
			return l.start(c, now) // it cannot be answered before this; an event will tell
		}
		if n < len(l.buf) {
			return nil // drained
		}
	}
}

// checkHTTP looks at the beginning of an answer. All answers are equally long,
// so the first one says how long.
func (l *loader) checkHTTP(p []byte) error {
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("not a good answer: %.60q", p)
	}
	if l.reply > 0 {
		return nil
	}
	head, _, ok := bytes.Cut(p, []byte("\r\n\r\n"))
	_, length, ok2 := bytes.Cut(head, []byte("Content-Length: "))
	if !ok || !ok2 {
		return fmt.Errorf("an answer without a length: %.200q", p)
	}
	length, _, _ = bytes.Cut(length, []byte("\r\n"))
	n, err := strconv.Atoi(string(length))
	if err != nil {
		return fmt.Errorf("an answer of length %q", length)
	}
	l.reply = len(head) + 4 + n
	return nil
}
