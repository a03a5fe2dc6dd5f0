package reactor

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/reactor/engine"
)

// readAhead is what was received ahead of a small read. It is guarded by the FD's mutex.
type readAhead struct {
	data   []byte // for the reads to come
	buffer int32  // the shared buffer that data is in; engine.NoBuffer: memory of its own
	never  bool   // no read may receive more than was asked for, see ControlWhole
	lost   bool   // there was data when the FD was closed

	lease bool // the read under way wants the buffer itself; changed under rd.call, too
}

// take moves bytes to p.
func (a *readAhead) take(p []byte, bufs *bufring.Ring) int {
	n := copy(p, a.data)
	a.data = a.data[n:]
	if len(a.data) == 0 {
		a.drop(bufs)
	}
	return n
}

// leave drops what is left when the FD is closed.
func (a *readAhead) leave(bufs *bufring.Ring) {
	a.lost = a.lost || len(a.data) > 0
	a.drop(bufs)
}

func (a *readAhead) drop(bufs *bufring.Ring) {
	if a.buffer != engine.NoBuffer {
		bufs.Recycle(uint16(a.buffer))
	}
	a.data, a.buffer = nil, engine.NoBuffer
}

// moveTo makes l the holder of what there is, and reports whether there is anything.
func (a *readAhead) moveTo(l *Lease, bufs *bufring.Ring) bool {
	if len(a.data) == 0 {
		return false
	}
	*l = Lease{data: a.data}
	if a.buffer != engine.NoBuffer {
		l.ring, l.id = bufs, uint16(a.buffer)
		l.gen = bufs.Generation(l.id)
	}
	a.data, a.buffer = nil, engine.NoBuffer
	return true
}

// Read reads up to len(p) bytes. Its errors are io.EOF, ErrClosed,
// os.ErrDeadlineExceeded and syscall.Errno.
func (fd *FD) Read(p []byte) (int, error) {
	s := &fd.rd
	s.call.Lock()
	defer s.call.Unlock()
	fd.mu.Lock()
	if fd.background && len(p) == 1 && fd.wr.state == callQueued {
		// The read will be interrupted when the Write is over. Let that be first, and this
		// call does not have to sleep.
		fd.mu.Unlock()
		yield()
		fd.mu.Lock()
	}
	if err := fd.startable(s, len(p) > 0); err != nil || len(p) == 0 {
		fd.mu.Unlock()
		fd.background = fd.background || len(p) == 1 && err == os.ErrDeadlineExceeded
		return 0, err
	}
	if len(fd.ahead.data) > 0 {
		n := fd.ahead.take(p, fd.r.submitter.bufs)
		fd.mu.Unlock()
		return n, nil
	}
	s.op.Pooled = len(p) < fd.r.smallRead && !fd.ahead.never
	s.op.Buf = p[:min(len(p), maxTransfer)]
	next := fd.nextRead()
	fd.mu.Unlock()
	fd.perform(s, next)
	fd.r.race.read(s.n, s.op.Buf)
	s.op.Buf = nil
	fd.background = fd.background || len(p) == 1 && s.err == os.ErrDeadlineExceeded
	return s.n, s.err
}

// nextRead is next for the read that rd.op describes. fd.mu is held.
func (fd *FD) nextRead() step {
	s := &fd.rd
	direct := !fd.registered && !s.op.Pooled
	if !fd.registered && s.op.Pooled {
		// Only the engine gives out shared buffers. To be told that there is something
		// to read costs no more than to run it here, and less of this goroutine's stack,
		// whose doubling would be most of what an idle connection takes.
		s.assumeReady(false)
	}
	s.op.hasData = fd.registered && s.ready
	if s.op.hasData && !fd.ahead.lease && fd.r.policy.direct() {
		direct, s.op.Pooled = true, false
	}
	s.op.wakesSysmon = fd.background
	s.n = 0
	return fd.next(s, direct)
}

// received handles the answer to a Recv and reports whether the call is over. fd.mu is
// held.
func (fd *FD) received(o *op) (over bool) {
	s := &fd.rd
	switch errno := o.Errno(); {
	case o.Result > 0:
		if o.Drained && fd.drains && !fd.sticky {
			s.exhausted(o.epoch)
		}
		s.n, s.err = fd.keep(o), nil
	case errno == 0:
		s.err = io.EOF
	case errno == unix.EAGAIN:
		s.exhausted(o.epoch)
		return false
	case errno == unix.EINTR:
		return false
	case errno == unix.ENOBUFS && o.Pooled:
		o.Pooled = false // no buffer left: receive into the caller's
		if fd.ahead.lease {
			o.Buf = make([]byte, fd.r.submitter.bufs.BufferSize())
		}
		return false
	default:
		s.err = errno
	}
	return true
}

// keep serves the read under way from o's buffer, keeps the rest for the reads to come,
// and returns how many bytes the read has got. fd.mu is held.
func (fd *FD) keep(o *op) int {
	n, a, bufs := int(o.Result), &fd.ahead, fd.r.submitter.bufs
	switch {
	case o.Buffer != engine.NoBuffer:
		a.data, a.buffer = bufs.Bytes(uint16(o.Buffer), n), o.Buffer
		o.Buffer = engine.NoBuffer
		if !a.lease {
			n = a.take(o.Buf, bufs)
		}
	case a.lease:
		a.data = o.Buf[:n]
	}
	switch {
	case fd.rd.pump != nil:
		fd.rd.pump.take()
	case fd.closing:
		a.leave(bufs)
	}
	return n
}

// Unread returns the number of bytes that were received ahead of a small read.
func (fd *FD) Unread() int {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	return len(fd.ahead.data)
}
