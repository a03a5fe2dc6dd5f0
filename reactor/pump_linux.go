package reactor

import (
	"io"

	"github.com/netring-go/netring/reactor/engine"
)

// pump forwards what one connection receives to another. While both keep up, the reactors
// do all of it: the answer to a recv queues a send of the same shared buffer, and the
// answer to that send queues the next recv, or has it wait for the socket. The goroutine
// of the copy sleeps, as in one long Read. It takes over when things go differently: a
// socket is full, somebody else writes, a deadline passes, an error, Close.
//
// The goroutine holds src.rd.call all the time. dst.wr.call is held for one send at a time,
// so others may write to dst in between. Between a recv and the next, src.rd is idle,
// nothing holds src's descriptor, and src may be closed. Whoever handles the answers owes
// the goroutine the token of src.rd, and gives it when the goroutine shall take over. All
// fields belong to whoever handles the answers, and to the goroutine once it has the
// token.
type pump struct {
	src, dst *FD
	moved    int64  // bytes sent
	lease    Lease  // what has been received; empty once all of it is sent
	unsent   []byte // the rest of it
	own      []byte // to receive into where shared buffers must not be used
	full     int    // answers in a row that filled their buffer
	err      error  // of sending
}

// Pump sends to dst what fd receives until fd's stream ends. moved is the number of bytes
// sent. read says that an error is fd's. Its errors are those of Read and Write. After an
// error of dst, up to one buffer of received bytes is lost. Both must be stream sockets, on
// the same reactor or on two.
func (fd *FD) Pump(dst *FD) (moved int64, read bool, err error) {
	s := &fd.rd
	s.call.Lock()
	defer s.call.Unlock()
	p := &pump{src: fd, dst: dst}
	fd.setPump(p)
	defer fd.setPump(nil)
	defer p.drop()
	for {
		if err := p.receive(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return p.moved, true, err
		}
		if err := p.send(); err != nil {
			return p.moved, false, err
		}
		if p.full < pumpedFull {
			continue
		}
		if over, read, err := p.splice(); over || err != nil {
			return p.moved, read, err
		}
	}
}

// setPump has reads leave what they receive to p, or, if p is nil, to their callers.
func (fd *FD) setPump(p *pump) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	fd.rd.pump, fd.ahead.lease = p, p != nil
	fd.rd.op.Buf = nil
}

// receive returns when the goroutine has something to do: to send, or to report an error.
func (p *pump) receive() error {
	fd, s := p.src, &p.src.rd
	fd.mu.Lock()
	if err := fd.startable(s, true); err != nil {
		fd.mu.Unlock()
		return err
	}
	if len(fd.ahead.data) > 0 {
		p.take()
		fd.mu.Unlock()
		return nil
	}
	p.describe()
	next := fd.nextRead()
	fd.mu.Unlock()
	fd.perform(s, next)
	fd.r.race.read(s.n, nil)
	return s.err
}

// describe makes src.rd.op the next recv. src.mu is held.
func (p *pump) describe() {
	fd := p.src
	o := &fd.rd.op
	o.Pooled, o.Buf = !fd.ahead.never, nil
	if o.Pooled {
		return
	}
	if p.own == nil {
		p.own = make([]byte, fd.r.submitter.bufs.BufferSize())
	}
	o.Buf = p.own
}

// take makes p the holder of what has been received. src.mu is held.
func (p *pump) take() {
	bufs := p.src.r.submitter.bufs
	p.src.ahead.moveTo(&p.lease, bufs)
	p.unsent = p.lease.data
	if len(p.unsent) == bufs.BufferSize() {
		p.full++
	} else {
		p.full = 0
	}
}

// send sends what is left, or reports why the last send failed.
func (p *pump) send() error {
	if p.err != nil || len(p.unsent) == 0 {
		return p.err
	}
	n, err := p.dst.Write(p.unsent)
	p.sent(n, err)
	return err
}

// sent records the end of a send of unsent.
func (p *pump) sent(n int, err error) {
	p.moved += int64(n)
	p.unsent = p.unsent[n:]
	p.err = err
	if len(p.unsent) == 0 {
		p.drop()
	}
}

func (p *pump) drop() {
	p.unsent = nil
	if p.lease.data != nil {
		p.lease.Release()
	}
}

// splice moves bytes with splice(2) as long as the stream is fast. over says that it has
// ended.
func (p *pump) splice() (over, read bool, err error) {
	p.full = 0
	reading := func(body func(Waiting) error) error { return p.src.rawHeld(&p.src.rd, false, body) }
	n, ended, read, err := splice(p.dst.Writing, reading, -1, int64(p.src.r.submitter.bufs.BufferSize()))
	p.moved += n
	p.src.CountRead(n)
	p.dst.CountWritten(n)
	return ended, read, err
}

// goOn is called with the answer to an op of p, the call on s. It reports false if the
// goroutine shall take over. The caller runs the ops of s's reactor.
func (p *pump) goOn(s *side) bool {
	if s == &p.src.rd {
		return s.err == nil && p.forward()
	}
	d := p.dst
	n, err := s.n, s.err
	s.pump, s.op.Buf, d.unsent = nil, nil, nil
	s.call.Unlock()
	p.sent(n, err)
	return err == nil && len(p.unsent) == 0 && p.rearm(d.r)
}

// forward has what was received sent. It reports false if that would have to wait.
func (p *pump) forward() bool {
	d, s := p.dst, &p.dst.wr
	if !s.call.TryLock() {
		return false
	}
	if d.co != nil {
		ok := p.coalesce()
		s.call.Unlock()
		return ok && p.rearm(p.src.r)
	}
	d.mu.Lock()
	if d.startable(s, true) != nil { // the goroutine's Write will say why
		d.mu.Unlock()
		s.call.Unlock()
		return false
	}
	d.unsent = p.unsent
	s.op.Kind, s.op.Buf = engine.Send, p.unsent
	s.n, s.err, s.pump = 0, nil, p
	s.assumeReady(true)
	d.enqueue(s, callQueued)
	d.mu.Unlock()
	p.queue(d.r, &s.op, p.src.r)
	return true
}

// coalesce copies what was received to dst's buffer. It reports false if that does not
// take all of it. The caller has dst's write lock.
func (p *pump) coalesce() bool {
	co := p.dst.co
	if !co.takes(len(p.unsent)) {
		return false
	}
	n, queue, err := co.copy(p.unsent)
	if queue {
		p.queue(p.dst.r, &co.op, p.src.r)
	}
	p.sent(n, err)
	return err == nil && len(p.unsent) == 0
}

// rearm has src receive again. It reports false if the goroutine shall do that.
func (p *pump) rearm(runner *Reactor) bool {
	fd, s := p.src, &p.src.rd
	fd.mu.Lock()
	if s.err = fd.startable(s, true); s.err != nil || p.full >= pumpedFull {
		fd.mu.Unlock()
		return false
	}
	fd.r.n.pumped.Add(1)
	p.describe()
	s.n = 0
	s.op.hasData = s.ready
	if s.ready {
		fd.enqueue(s, callQueued)
		fd.mu.Unlock()
		p.queue(fd.r, &s.op, runner)
		return true
	}
	err := fd.sleep(s, callWaiting)
	if err != nil {
		s.err = err
	}
	fd.mu.Unlock()
	if err != nil {
		return false
	}
	fd.r.obey(fd.r.ensure()) // a recheck in the meantime has missed this call
	return true
}

// queue has o run by r, with its next batch. runner is the reactor whose ops the caller
// runs.
func (p *pump) queue(r *Reactor, o *op, runner *Reactor) {
	if r == runner {
		r.requeue(o)
	} else {
		r.submitLater(o)
	}
}
