package load

import (
	"bytes"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

// runMessages keeps one message, or several pipelined requests, under way on each connection.
// With a Rate, it sends requests when they are due instead.
func (l *loader) runMessages() Result {
	l.step, l.next = l.exchange, l.start // the next answer comes with a later event
	l.expect()
	l.connectAll(l.job.Idle, l.startIdle)
	if l.job.Pipeline > 1 {
		l.msg = bytes.Repeat(l.msg, l.job.Pipeline)
	}
	switch {
	case l.job.Rate > 0 && l.job.Regular:
		gap := time.Second / time.Duration(l.job.Rate)
		l.pace(1, func() time.Duration { return gap })
	case l.job.Rate > 0:
		// The gaps are exponential. The seed makes the times the same for every server.
		random, mean := rand.New(rand.NewPCG(1, 2)), float64(time.Second)/float64(l.job.Rate)
		l.pace(1, func() time.Duration { return time.Duration(random.ExpFloat64() * mean) })
	case l.job.Fresh:
		l.next = func(c *client, _ time.Time) { l.reconnect(c) }
		for i := range l.job.Conns {
			l.conns = append(l.conns, client{id: i, fd: -1})
			l.reconnect(&l.conns[i])
		}
	default:
		l.connectAll(l.job.Conns, func(*client) {})
		for i := range l.conns {
			if c := &l.conns[i]; !c.idle {
				l.start(c, time.Now())
			}
		}
	}
	return l.measured(l.loop)
}

// expect sets what is sent and what the answers should be.
func (l *loader) expect() {
	switch {
	case l.job.Kind == Raw:
		l.answers, l.msg = exactAnswers([]byte(RawAnswer)), []byte(Request)
	case l.job.Kind == Redis:
		l.answers, l.msg = exactAnswers([]byte(redisAnswer)), []byte(redisRequest)
	case l.job.Kind != HTTP:
		l.answers = echoAnswers(l.job.Size)
		l.msg = l.answers.want
	case l.job.Fresh:
		l.answers, l.msg = httpAnswers(l.body()), []byte(lastRequest)
	default:
		l.answers, l.msg = httpAnswers(l.body()), []byte(Request)
	}
}

// body returns the body of HTTP answers.
func (l *loader) body() string {
	if l.job.JSON {
		return JSONBody
	}
	return Body
}

func (l *loader) pipeline() int { return max(l.job.Pipeline, 1) }

// startIdle starts the only request of c. It is an argument of connectAll.
func (l *loader) startIdle(c *client) {
	c.idle = true
	l.queued++
	l.start(c, time.Now())
}

// runHold makes connections that exchange one message each and then stay idle.
func (l *loader) runHold() Result {
	l.step = l.exchange
	l.expect()
	begin := time.Now()
	l.connectAll(l.job.Idle, l.startIdle)
	return Result{Requests: int64(l.job.Idle), Elapsed: time.Since(begin)}
}

// start begins the next request on c, whose latency counts from the given time.
func (l *loader) start(c *client, at time.Time) {
	c.sent, c.got, c.since = 0, 0, at
	l.answers.mark(c.id)
	c.write(l.msg)
}

// exchange sends the rest of c's request and receives its answer. In a Fresh job it also
// receives the end of the connection.
func (l *loader) exchange(c *client) {
	l.answers.mark(c.id)
	if c.sent < len(l.msg) && !c.since.IsZero() {
		c.write(l.msg)
	}
	for {
		p := c.read(l.buf)
		if p == nil {
			return
		}
		if len(p) == 0 {
			if !l.job.Fresh || c.got == 0 || c.got < len(l.answers.want) {
				fail("the server closed a connection after %d bytes of an answer", c.got)
			}
			fd := c.fd
			c.fd = -1
			check("close", unix.Close(fd))
			l.answered(c)
			return
		}
		if err := l.answers.check(c.id, c.got, p); err != nil {
			panic(failure{err})
		}
		c.got += len(p)
		want := len(l.answers.want)
		if !c.idle {
			want *= l.pipeline()
		}
		switch {
		case c.got > want || c.since.IsZero():
			fail("an answer has %d bytes instead of %d", c.got, want)
		case l.job.Fresh: // the end of the connection follows
		case c.got == want:
			l.answered(c)
			return
		case len(p) < len(l.buf):
			return // drained
		}
	}
}

// answered counts the answer that c has received and starts the next request.
func (l *loader) answered(c *client) {
	if c.idle {
		l.queued--
		c.since = time.Time{}
		return
	}
	now := time.Now()
	l.completed(c.since, now, int64(l.pipeline()))
	l.next(c, now)
}

// pacer starts requests when they are due, whether or not earlier requests have been answered.
// A latency counts from the time when the request was due, even if it waited for a connection.
type pacer struct {
	*loader
	timer int // a timerfd, which expires when the next request is due
	gap   func() time.Duration
	next  time.Time // when the next request is due
	ticks int       // requests so far
	lanes []lane    // which take requests in turn
}

// lane is a set of connections that share requests.
type lane struct {
	free    []*client
	overdue []time.Time // when requests were due that wait for a free connection
}

// timerID is the timer's number in the epoll set; clients have their indexes.
const timerID = -1

// pace makes the job's connections, divides them into lanes and starts the pacer.
func (l *loader) pace(lanes int, gap func() time.Duration) {
	p := &pacer{loader: l, gap: gap, lanes: make([]lane, lanes)}
	l.pacer, l.next = p, p.release
	l.connectAll(l.job.Conns, func(c *client) { p.release(c, time.Time{}) })
	var err error
	p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	check("timerfd_create", err)
	l.conns = append(l.conns, client{fd: p.timer}) // to be closed with them
	l.watch(p.timer, unix.EPOLLIN|unix.EPOLLET, timerID)
	p.next = time.Now()
	p.tick()
}

// tick starts the requests that are due, and sets the timer to the next.
func (p *pacer) tick() {
	now := time.Now()
	for ; !p.next.After(now); p.next = p.next.Add(p.gap()) {
		lane := &p.lanes[p.ticks%len(p.lanes)]
		p.ticks++
		n := len(lane.free)
		if n == 0 {
			lane.overdue = append(lane.overdue, p.next)
			continue
		}
		c := lane.free[n-1]
		lane.free = lane.free[:n-1]
		p.start(c, p.next)
	}
	// A time of 0 would disarm the timer. Setting the timer also clears its expiration.
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(time.Until(p.next), 1)))}
	check("timerfd_settime", unix.TimerfdSettime(p.timer, 0, &spec, nil))
}

// release starts the longest overdue request of c's lane on c, whose answer is complete. Without
// overdue requests, c becomes free.
func (p *pacer) release(c *client, _ time.Time) {
	lane := &p.lanes[c.id%len(p.lanes)]
	if len(lane.overdue) == 0 {
		c.since = time.Time{}
		lane.free = append(lane.free, c)
		return
	}
	due := lane.overdue[0]
	lane.overdue = lane.overdue[1:]
	p.start(c, due)
}

// runFair sends messages on quiet connections at regular times, first alone, then beside a
// connection that sends as much as it can.
func (l *loader) runFair() Result {
	l.step = l.exchange
	l.expect()
	gap := time.Second / time.Duration(l.job.Rate)
	l.pace(l.job.Conns, func() time.Duration { return gap })
	l.job.Duration /= 2
	alone := l.measured(l.loop)
	const piece = 16 << 10 // of the flood, per write
	flood := l.newStream(l.connect(), piece, 1)
	l.step = func(c *client) {
		if c != flood.out { // an event of the flood only ends the waiting
			l.exchange(c)
		}
	}
	res := l.measured(flood.loop)
	if flood.count == 0 {
		fail("the server echoed nothing of the flood")
	}
	res.AloneP50, res.AloneP99, res.FloodBytes = alone.P50, alone.P99, flood.count
	return res
}
