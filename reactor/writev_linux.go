package reactor

import "golang.org/x/sys/unix"

// maxIovecs is the most pieces one sendmsg(2) takes (UIO_MAXIOV).
const maxIovecs = 1024

// iovecs is a list of pieces of memory on their way to the kernel.
type iovecs struct {
	msg   unix.Msghdr
	left  [][]byte     // what is not in vec yet
	vec   []unix.Iovec // what is
	first int          // vec[first:] is what msg names
}

// load makes msg name the next pieces, and reports whether there are none.
func (v *iovecs) load() (empty bool) {
	v.vec, v.first = v.vec[:0], 0
	for len(v.left) > 0 && len(v.vec) < maxIovecs {
		if p := v.left[0]; len(p) > 0 {
			iov := unix.Iovec{Base: &p[0]}
			iov.SetLen(len(p))
			v.vec = append(v.vec, iov)
		}
		v.left = v.left[1:]
	}
	v.point()
	return len(v.vec) == 0
}

// point makes msg name vec[first:].
func (v *iovecs) point() {
	v.msg = unix.Msghdr{}
	if v.first < len(v.vec) {
		v.msg.Iov = &v.vec[v.first]
		v.msg.SetIovlen(len(v.vec) - v.first)
	}
}

// advance records that n bytes were sent and reports whether none are left.
func (v *iovecs) advance(n int) (done bool) {
	for v.first < len(v.vec) && n >= int(v.vec[v.first].Len) {
		n -= int(v.vec[v.first].Len)
		v.first++
	}
	if v.first == len(v.vec) {
		return v.load()
	}
	skip(&v.vec[v.first], n)
	v.point()
	return false
}

// Writev writes all of the pieces, in order, as one Write: no other write comes
// in between. It returns the number of bytes written. bufs is not changed. Its
// errors are Write's.
func (fd *FD) Writev(bufs [][]byte) (n int, err error) {
	s := &fd.wr
	s.call.Lock()
	defer s.call.Unlock()
	for _, p := range bufs {
		raceWrite(p)
	}
	fd.mu.Lock()
	if err := fd.startable(s, true); err != nil {
		fd.mu.Unlock()
		return 0, err
	}
	total := 0
	for _, p := range bufs {
		total += len(p)
	}
	if fd.coalescing(total) {
		defer fd.mu.Unlock()
		for _, p := range bufs {
			k, err := fd.writeBuffered(p)
			n += k
			if err != nil {
				return n, err
			}
		}
		return n, nil
	}
	if err := fd.drain(); err != nil {
		fd.mu.Unlock()
		return 0, err
	}
	if fd.vec == nil {
		fd.vec = new(iovecs)
	}
	fd.unsent, fd.vec.left = nil, bufs
	if fd.vec.load() {
		s.op.kind, s.op.buf = opSend, nil // nothing, as Write does it
	} else {
		s.op.kind, s.op.msg = opSendv, &fd.vec.msg
	}
	fd.startWrite(total) // unlocks
	clear(fd.vec.vec)
	fd.vec.left = nil
	return s.n, s.err
}
