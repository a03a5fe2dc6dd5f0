package load

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/child"
)

// Serve is the main function of a load generator's process. Its requests are Jobs; see package
// child.
func Serve(in io.Reader, out io.Writer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var held []*loader
	release := func() {
		for _, l := range held {
			l.close()
		}
		held = nil
	}
	defer release()
	return child.Answer(in, out, func(job Job) (res Result, err error) {
		if !job.Keep {
			release()
		}
		l, err := newLoader(job)
		if err != nil {
			return res, err
		}
		held = append(held, l)
		if res, err = l.run(); job.Kind != Hold {
			release()
		}
		return res, err
	})
}

// Run runs the job in this process, on the calling goroutine. It is for tests.
func (j Job) Run() (Result, error) {
	l, err := newLoader(j)
	if err != nil {
		return Result{}, err
	}
	defer l.close()
	return l.run()
}

// failure is what a job panics with. run recovers it.
type failure struct{ error }

// fail ends the job with an error.
func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// check ends the job if err, of the system call, is not nil.
func check(call string, err error) {
	if err != nil {
		panic(failure{os.NewSyscallError(call, err)})
	}
}

// loader runs one job.
type loader struct {
	meter
	job    Job
	epoll  int // descriptor
	events [512]unix.EpollEvent
	conns  []client
	step   func(c *client)                // handles an event of c
	next   func(c *client, now time.Time) // follows a complete answer
	pacer  *pacer                         // of jobs with a Rate
	buf    []byte
	queued int // connections that connectAll waits for

	answers *answers
	msg     []byte // a request
}

// client is one connection.
type client struct {
	id    int
	fd    int // -1: closed
	idle  bool
	sent  int       // bytes of the request written
	got   int       // bytes of the answer read
	since time.Time // when the request was started or due; zero: no request is under way
}

func newLoader(job Job) (*loader, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &loader{
		job: job, epoll: epoll,
		meter: meter{unit: 1, hist: newHistogram()},
		buf:   make([]byte, 256<<10),
		// The capacity suffices for all clients: pointers to them stay valid.
		conns: make([]client, 0, job.Conns+job.Idle+8),
	}, os.NewSyscallError("epoll_create1", err)
}

// close closes all connections. It ignores errors: the job has ended.
func (l *loader) close() {
	_ = unix.Close(l.epoll)
	for _, c := range l.conns {
		if c.fd >= 0 {
			_ = unix.Close(c.fd)
		}
	}
}

// runs has the function of each kind of load.
var runs = map[string]func(*loader) Result{
	HTTP: (*loader).runMessages, Raw: (*loader).runMessages, Echo: (*loader).runMessages, Redis: (*loader).runMessages,
	Hold: (*loader).runHold, Fair: (*loader).runFair, Broadcast: (*loader).runBroadcast,
	WebSocket: (*loader).runWebSocket,
	HTTPS:     (*loader).runHTTPS, GRPC: (*loader).runGRPC,
	File: (*loader).runStream, Source: (*loader).runStream, Sink: (*loader).runStream, Proxy: (*loader).runStream,
}

func (l *loader) run() (res Result, err error) {
	run, ok := runs[l.job.Kind]
	if !ok {
		return res, fmt.Errorf("the kind of load is %q; use a constant of package load", l.job.Kind)
	}
	defer func() {
		if p := recover(); p != nil {
			err = p.(failure).error
		}
	}()
	return run(l), nil
}

// measured runs loop twice: to warm up, then to measure.
func (l *loader) measured(loop func(until time.Time)) Result {
	loop(time.Now().Add(l.job.Warmup))
	if l.answers != nil {
		l.answers.all = false
	}
	return l.measure(l.job.PID, l.job.Duration, loop)
}

// loop handles events until the given time.
func (l *loader) loop(until time.Time) {
	for left := time.Until(until); left > 0; left = time.Until(until) {
		l.wait(left)
	}
}

// wait waits for events for at most d and handles them.
func (l *loader) wait(d time.Duration) {
	d = max(d, 0) // epoll_wait takes a negative time as unlimited
	n, err := unix.EpollWait(l.epoll, l.events[:], int((d+time.Millisecond-1)/time.Millisecond))
	if err != unix.EINTR {
		check("epoll_wait", err)
	}
	for _, e := range l.events[:max(n, 0)] {
		if e.Fd == timerID {
			l.pacer.tick()
		} else {
			l.step(&l.conns[e.Fd])
		}
	}
}

// watch adds fd to the epoll set, which reports its events with id, until fd is closed.
func (l *loader) watch(fd int, events uint32, id int) {
	ev := unix.EpollEvent{Events: events, Fd: int32(id)}
	check("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

// dial makes c's socket and begins to connect. On loopback connect(2) usually completes at once;
// otherwise an event reports the connection.
func (l *loader) dial(c *client) {
	var err error
	c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	check("socket", err)
	err = unix.Connect(c.fd, &unix.SockaddrInet4{Port: l.job.Port, Addr: [4]byte{127, 0, 0, 1}})
	if err != unix.EINPROGRESS {
		check("connect", err)
	}
}

// connect makes another connection and adds it to the epoll set.
func (l *loader) connect() *client {
	l.conns = append(l.conns, client{id: len(l.conns), fd: -1})
	c := &l.conns[len(l.conns)-1]
	l.dial(c)
	check("setsockopt", unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	l.watch(c.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET, c.id)
	return c
}

// connectAll makes n connections, in groups. It calls first with each. Before the next group it
// waits until l.queued is 0: first may count it up, and step counts it down.
func (l *loader) connectAll(n int, first func(c *client)) {
	const (
		groupSize    = 512 // smaller than a listener's backlog, which is 4096 on most systems
		groupTimeout = 15 * time.Second
	)
	for n > 0 {
		group := min(n, groupSize)
		for range group {
			first(l.connect())
		}
		n -= group
		for end := time.Now().Add(groupTimeout); l.queued > 0; {
			if time.Now().After(end) {
				fail("the server did not answer %d of %d new connections within %v", l.queued, group, groupTimeout)
			}
			l.wait(time.Until(end))
		}
	}
}

// reconnect connects c, of a Fresh job, and sends its request. It makes few system calls, as
// connecting is what limits the load generator here.
//
// SO_LINGER makes close(2) reset the connection. Otherwise each connection would stay in
// TIME_WAIT for a minute, and after seconds their number would slow the machine. The server's
// program sees no difference.
func (l *loader) reconnect(c *client) {
	c.sent, c.got, c.since = 0, 0, time.Now()
	l.dial(c)
	check("setsockopt", unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	c.write(l.msg)
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET)
	if c.sent < len(l.msg) {
		events |= unix.EPOLLOUT
	}
	l.watch(c.fd, events, c.id)
}

// NoAnswer is how long after the end of its turn a server may still send its first answer.
const NoAnswer = 5 * time.Second

// meter counts the requests of one turn.
type meter struct {
	counting bool                    // false while warming up
	done     int64                   // requests or bytes since counting began
	unit     int64                   // how much of done is a request
	hist     *hdrhistogram.Histogram // latencies of requests, in ns
}

// newHistogram returns a histogram for latencies up to a minute, in ns.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(time.Minute), 3) }

// completed counts n requests that were started at since and answered at now, unless the load is
// warming up. It ends the job if that took more than about a minute.
func (m *meter) completed(since, now time.Time, n int64) {
	if m.counting {
		m.done += n
		check("latency", m.hist.RecordValue(int64(now.Sub(since))))
	}
}

// measure runs loop for the duration d and returns what was done, and the CPU time of process
// pid. It ends the job if no request was answered.
func (m *meter) measure(pid int, d time.Duration, loop func(until time.Time)) (res Result) {
	m.counting, m.done = true, 0
	m.hist.Reset()
	before, err := child.CPUTime(pid)
	check("CPU time", err)
	begin := time.Now()
	end := begin.Add(d)
	loop(end)
	// A machine that paused the process may have left no time for an answer.
	for m.done < m.unit && time.Since(end) < NoAnswer {
		loop(time.Now().Add(10 * time.Millisecond))
	}
	res.Elapsed = time.Since(begin)
	m.counting = false
	after, err := child.CPUTime(pid)
	check("CPU time", err)
	res.CPU = after - before
	if res.Requests = m.done / m.unit; res.Requests == 0 {
		fail("the server answered no request within %v", res.Elapsed)
	}
	m.latencies(&res)
	return res
}

func (m *meter) latencies(res *Result) {
	res.P50, res.P99 = time.Duration(m.hist.ValueAtQuantile(50)), time.Duration(m.hist.ValueAtQuantile(99))
	res.P999 = time.Duration(m.hist.ValueAtQuantile(99.9))
}
