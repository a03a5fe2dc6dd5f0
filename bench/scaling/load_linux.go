package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const request = "GET / HTTP/1.1\r\nHost: scaling\r\n\r\n"

// job is what the load does to a server for a while.
type job struct {
	conns int  // kept busy, each with one request under way at a time
	fresh bool // each request on a connection of its own
	dur   time.Duration
}

// outcome is what came of it.
type outcome struct {
	requests int64
	elapsed  time.Duration
	cpu      time.Duration // of the server
}

func rate(o outcome) float64   { return float64(o.requests) / o.elapsed.Seconds() }
func cpuPer(o outcome) float64 { return float64(o.cpu.Nanoseconds()) / 1e3 / float64(o.requests) }

// loader runs a job on one thread.
type loader struct {
	job
	port  int
	epfd  int
	conns []client
	buf   []byte
	done  int64
}

// client is a connection.
type client struct{ fd, got int }

// run runs j against p.
func run(p *proc, j job) (o outcome, err error) {
	if p.cfg.OneCore {
		err = onThread(1, func() (err error) {
			o, err = runHere(p, j)
			return err
		})
		return o, err
	}
	return runHere(p, j)
}

func runHere(p *proc, j job) (o outcome, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := &loader{job: j, port: p.port, buf: make([]byte, 4096)}
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return o, os.NewSyscallError("epoll_create1", err)
	}
	defer func() {
		for _, c := range l.conns {
			err = errors.Join(err, unix.Close(c.fd))
		}
		err = errors.Join(err, unix.Close(l.epfd))
	}()
	l.conns = make([]client, 0, j.conns)
	for i := range j.conns {
		l.conns = append(l.conns, client{fd: -1})
		if err := l.open(i); err != nil {
			return o, err
		}
		if err := l.send(&l.conns[i]); err != nil {
			return o, err
		}
	}
	if err := l.loop(time.Now().Add(j.dur / 8)); err != nil { // warm up
		return o, err
	}
	l.done = 0
	before, err := p.cpuTime()
	if err != nil {
		return o, err
	}
	begin := time.Now()
	if err := l.loop(begin.Add(j.dur)); err != nil {
		return o, err
	}
	// A short turn on a machine that paused it may have seen no answer at all.
	for l.done == 0 && time.Since(begin) < j.dur+noAnswer {
		if err := l.loop(time.Now().Add(10 * time.Millisecond)); err != nil {
			return o, err
		}
	}
	o.elapsed, o.requests = time.Since(begin), l.done
	after, err := p.cpuTime()
	if err == nil && o.requests == 0 {
		err = errors.New("no request was answered")
	}
	o.cpu = after - before
	return o, err
}

// noAnswer is how long after the end of its turn a server may still give its
// first answer.
const noAnswer = 5 * time.Second

// dial returns a connection to a port of the loopback device.
func dial(port int) (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("connect: %w", err), unix.Close(fd))
	}
	return fd, nil
}

func (l *loader) open(i int) (err error) {
	c := &l.conns[i]
	if c.fd, err = dial(l.port); err != nil {
		return err
	}
	if l.fresh {
		// Closing resets the connection, so that no port is left in TIME_WAIT.
		if err := unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, c.fd, &ev))
}

func (l *loader) send(c *client) error {
	c.got = 0
	n, err := unix.Write(c.fd, []byte(request))
	if err == nil && n < len(request) {
		err = fmt.Errorf("%d bytes of a request sent", n)
	}
	return err
}

func (l *loader) loop(until time.Time) error {
	var events [256]unix.EpollEvent
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
			if err := l.step(int(events[i].Fd)); err != nil {
				return err
			}
		}
	}
}

// step reads what has come on a connection.
func (l *loader) step(i int) error {
	c := &l.conns[i]
	n, err := unix.Read(c.fd, l.buf)
	switch {
	case err == unix.EINTR:
		return nil // the event comes again
	case err != nil:
		return os.NewSyscallError("read", err)
	case c.got+n > len(answer) || string(l.buf[:n]) != answer[c.got:c.got+n] || n == 0:
		return fmt.Errorf("a wrong answer: %.100q", l.buf[:n])
	}
	if c.got += n; c.got < len(answer) {
		return nil
	}
	l.done++
	if l.fresh {
		if err := unix.Close(c.fd); err != nil {
			return os.NewSyscallError("close", err)
		}
		c.fd = -1
		if err := l.open(i); err != nil {
			return err
		}
	}
	return l.send(c)
}
