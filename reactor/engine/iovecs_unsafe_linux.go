package engine

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxIovecs is the most pieces one sendmsg(2) takes (UIO_MAXIOV).
const maxIovecs = 1024

// Iovecs is a list of pieces of memory on their way to the kernel: what the Msg of a
// Sendmsg op points to. The zero Iovecs is empty.
type Iovecs struct {
	msg   unix.Msghdr
	left  [][]byte     // what is not in vec yet
	vec   []unix.Iovec // what is
	first int          // msg names vec[first:]
}

// Load makes Msg name the first of bufs, and reports whether there is nothing to send.
func (v *Iovecs) Load(bufs [][]byte) (empty bool) {
	v.left = bufs
	return v.next()
}

// Msg returns what the op needs. It stays the same until Load is called again.
func (v *Iovecs) Msg() *unix.Msghdr { return &v.msg }

// Advance records that n bytes were sent, makes Msg name the next ones, and reports
// whether there are none.
func (v *Iovecs) Advance(n int) (done bool) {
	for v.first < len(v.vec) && n >= int(v.vec[v.first].Len) {
		n -= int(v.vec[v.first].Len)
		v.first++
	}
	if v.first == len(v.vec) {
		return v.next()
	}
	skip(&v.vec[v.first], n)
	v.point()
	return false
}

// Clear lets go of the memory.
func (v *Iovecs) Clear() {
	clear(v.vec)
	v.left = nil
}

// next makes msg name the pieces that come next, and reports whether there are none.
func (v *Iovecs) next() (empty bool) {
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
func (v *Iovecs) point() {
	v.msg = unix.Msghdr{}
	if v.first < len(v.vec) {
		v.msg.Iov = &v.vec[v.first]
		v.msg.SetIovlen(len(v.vec) - v.first)
	}
}

// skip drops the first n bytes of iov, which has more.
func skip(iov *unix.Iovec, n int) {
	iov.Base = (*byte)(unsafe.Add(unsafe.Pointer(iov.Base), n))
	iov.SetLen(int(iov.Len) - n)
}
