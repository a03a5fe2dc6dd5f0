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

// Serve is the main function of a load generator's process, see package child: its
// requests are Jobs.
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

// failure is what a job panics with. It never leaves run.
type failure struct{ error }

// fail ends the job.
func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// check ends the job if the system call has failed.
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
	step   func(c *client)                // does what c is ready for
	next   func(c *client, now time.Time) // after an answer that is complete
	pacer  *pacer                         // of jobs with a Rate
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
	since time.Time // when the request was started; zero: there is none
}

func newLoader(job Job) (*loader, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &loader{
		job: job, epoll: epoll,
		meter: newMeter(),
		buf:   make([]byte, 256<<10),
		// The clients must not move while more of them are made.
		conns: make([]client, 0, job.Conns+job.Idle+8),
	}, os.NewSyscallError("epoll_create1", err)
}

// close hangs up. Errors do not matter any more.
func (l *loader) close() {
	_ = unix.Close(l.epoll)
	for _, c := range l.conns {
		if c.fd >= 0 {
			_ = unix.Close(c.fd)
		}
	}
}

// runs is how to run each kind of load.
var runs = map[string]func(*loader) Result{
	HTTP: (*loader).runMessages, Raw: (*loader).runMessages, Echo: (*loader).runMessages,
	Hold: (*loader).runHold, Fair: (*loader).runFair, Broadcast: (*loader).runBroadcast,
	HTTPS: (*loader).runHTTPS, GRPC: (*loader).runGRPC,
	File: (*loader).runStream, Source: (*loader).runStream, Sink: (*loader).runStream, Proxy: (*loader).runStream,
}

// run runs the job.
func (l *loader) run() (res Result, err error) {
	run, ok := runs[l.job.Kind]
	if !ok {
		return res, fmt.Errorf("unknown kind of load %q", l.job.Kind)
	}
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = f.error
		}
	}()
	return run(l), nil
}

// measured runs loop to warm up, then to measure.
func (l *loader) measured(loop func(until time.Time)) Result {
	loop(time.Now().Add(l.job.Warmup))
	if l.answers != nil {
		l.answers.all = false
	}
	return l.measure(l.job.PID, l.job.Duration, loop)
}

// loop waits for events and does what they allow, until the given time.
func (l *loader) loop(until time.Time) {
	for left := time.Until(until); left > 0; left = time.Until(until) {
		l.wait(left)
	}
}

// wait waits for events at most so long and does what they allow.
func (l *loader) wait(d time.Duration) {
	d = max(d, 0) // a negative time would mean for ever
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

// watch has epoll report the events of fd (EPOLLIN and so on) for id. Closing fd ends
// that.
func (l *loader) watch(fd int, events uint32, id int) {
	ev := unix.EpollEvent{Events: events, Fd: int32(id)}
	check("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

// dial makes c's socket and begins to connect it. On loopback connect(2) usually
// completes at once; otherwise an event reports the connection.
func (l *loader) dial(c *client) {
	var err error
	c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	check("socket", err)
	err = unix.Connect(c.fd, &unix.SockaddrInet4{Port: l.job.Port, Addr: [4]byte{127, 0, 0, 1}})
	if err != unix.EINPROGRESS {
		check("connect", err)
	}
}

// connect makes one more connection, which is in the epoll set.
func (l *loader) connect() *client {
	l.conns = append(l.conns, client{id: len(l.conns), fd: -1})
	c := &l.conns[len(l.conns)-1]
	l.dial(c)
	check("setsockopt", unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	l.watch(c.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET, c.id)
	return c
}

const (
	// groupSize is how many connections are made before their first answers are
	// waited for: fewer than a listener's backlog, which is 4096 on most systems.
	groupSize = 512

	// groupTimeout bounds that waiting.
	groupTimeout = 15 * time.Second
)

// connectAll makes n connections, in groups. It calls first with each and waits until
// l.queued, which first may count up and step may count down, is 0 again.
func (l *loader) connectAll(n int, first func(c *client)) {
	for n > 0 {
		group := min(n, groupSize)
		for range group {
			first(l.connect())
		}
		n -= group
		for end := time.Now().Add(groupTimeout); l.queued > 0; {
			if time.Now().After(end) {
				fail("%d of %d connections had no answer within %v", l.queued, group, groupTimeout)
			}
			l.wait(time.Until(end))
		}
	}
}

// reconnect connects c, of a Fresh job, and sends its request, with as few system calls
// as possible: this work limits how much of a server the load generator can show.
//
// Closing the connection resets it. Otherwise each connection would stay in TIME_WAIT
// for a minute, and within seconds there would be enough of them to slow the machine
// down. The server's program sees no difference.
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

// NoAnswer is how long after the end of its turn a server may still give its first
// answer.
const NoAnswer = 5 * time.Second

// meter counts the requests of one turn.
type meter struct {
	counting bool                    // what is done counts now
	done     int64                   // what was done since it does
	unit     int64                   // how much of done is a request
	hist     *hdrhistogram.Histogram // the latencies of requests, in ns
}

func newMeter() meter { return meter{unit: 1, hist: newHistogram()} }

// newHistogram returns a histogram for latencies in ns, of up to a minute.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(time.Minute), 3) }

// completed counts n requests that were started at the time since and have just had
// their answers, if they count. It fails if that took more than about a minute.
func (m *meter) completed(since, now time.Time, n int64) {
	if m.counting {
		m.done += n
		check("latency", m.hist.RecordValue(int64(now.Sub(since))))
	}
}

// measure runs loop for a time d and returns what was done in it, and how much CPU
// time the process pid used. It fails if no request was answered.
func (m *meter) measure(pid int, d time.Duration, loop func(until time.Time)) (res Result) {
	m.counting, m.done = true, 0
	m.hist.Reset()
	before, err := child.CPUTime(pid)
	check("CPU time", err)
	begin := time.Now()
	end := begin.Add(d)
	loop(end)
	// A short turn on a machine that paused it may have seen no answer at all.
	for m.done < m.unit && time.Since(end) < NoAnswer {
		loop(time.Now().Add(10 * time.Millisecond))
	}
	res.Elapsed = time.Since(begin)
	m.counting = false
	after, err := child.CPUTime(pid)
	check("CPU time", err)
	res.CPU = after - before
	if res.Requests = m.done / m.unit; res.Requests == 0 {
		fail("no request was answered")
	}
	m.latencies(&res)
	return res
}

func (m *meter) latencies(res *Result) {
	res.P50, res.P99 = time.Duration(m.hist.ValueAtQuantile(50)), time.Duration(m.hist.ValueAtQuantile(99))
}
