package load

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Job is a load of HTTP requests on some connections, each with one request under
// way at a time.
type Job struct {
	Port     int
	PID      int // of the server
	Conns    int
	Fresh    bool // a connection for each request
	Warmup   time.Duration
	Duration time.Duration
}

// generator runs a Job.
type generator struct {
	Job
	Meter
	epoll *Epoll
	conns []conn
	msg   []byte
	buf   []byte
}

// conn is one connection.
type conn struct {
	fd    int       // -1: closed
	got   int       // bytes of the answer read
	since time.Time // when the request was started
}

// Run makes the connections and measures. An answer that is not Answer is an error,
// as is any of a connection.
func (j Job) Run() (res Result, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g := &generator{Job: j, Meter: NewMeter(), msg: []byte(Request), buf: make([]byte, 64<<10), conns: make([]conn, j.Conns)}
	if g.epoll, err = NewEpoll(); err != nil {
		return res, err
	}
	for i := range g.conns {
		g.conns[i].fd = -1
	}
	defer func() { err = errors.Join(err, g.close()) }()
	for i := range g.conns {
		if err := g.connect(i); err != nil {
			return res, err
		}
	}
	for i := range g.conns {
		if err := g.start(&g.conns[i], time.Now()); err != nil {
			return res, err
		}
	}
	if err := g.loop(time.Now().Add(j.Warmup)); err != nil {
		return res, err
	}
	return g.Measure(j.PID, j.Duration, g.loop)
}

// close hangs up.
func (g *generator) close() error {
	var errs []error
	for _, c := range g.conns {
		if c.fd >= 0 {
			errs = append(errs, os.NewSyscallError("close", unix.Close(c.fd)))
		}
	}
	return errors.Join(append(errs, g.epoll.Close())...)
}

func (g *generator) loop(until time.Time) error { return g.epoll.Loop(until, g.step) }

// connect makes the connection with the number i.
func (g *generator) connect(i int) (err error) {
	c := &g.conns[i]
	if c.fd, err = Dial(g.Port); err != nil {
		return err
	}
	if g.Fresh {
		// Closing resets the connection, so that no port is left in TIME_WAIT.
		if err := unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return g.epoll.Add(c.fd, unix.EPOLLIN|unix.EPOLLET, i)
}

// start sends the next request on c, which counts from the time now.
func (g *generator) start(c *conn, now time.Time) error {
	c.got, c.since = 0, now
	n, errno := Send(c.fd, g.msg)
	if errno != 0 {
		return os.NewSyscallError("send", errno)
	}
	if n < len(g.msg) { // its predecessor was answered, so there is room
		return fmt.Errorf("%d bytes of a request of %d sent", n, len(g.msg))
	}
	return nil
}

// step reads what has come on the connection with the number i.
func (g *generator) step(i int) error {
	c := &g.conns[i]
	for {
		n, errno := Recv(c.fd, g.buf)
		switch {
		case errno == unix.EAGAIN:
			return nil
		case errno != 0:
			return os.NewSyscallError("recv", errno)
		case n == 0:
			return errors.New("the server closed a connection")
		case c.got+n > len(Answer) || string(g.buf[:n]) != Answer[c.got:c.got+n]:
			return fmt.Errorf("a wrong answer: %.100q", g.buf[:n])
		}
		if c.got += n; c.got < len(Answer) {
			continue
		}
		now := time.Now()
		if err := g.Completed(c.since, now, 1); err != nil {
			return err
		}
		if g.Fresh {
			err := unix.Close(c.fd)
			if c.fd = -1; err != nil {
				return os.NewSyscallError("close", err)
			}
			if err := g.connect(i); err != nil {
				return err
			}
		}
		return g.start(c, now) // its answer makes an event
	}
}
