package reactor

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

const (
	// maxSendfile bounds one sendfile(2), whose count must fit an int32.
	maxSendfile = 1<<31 - 1

	// spliceSize is the size asked for the pipe of a Splice, and so the most that is
	// moved at once: the largest an ordinary user gets, see pipe-max-size in proc(5).
	spliceSize = 1 << 20
)

// Reading runs body as the one read of fd: other reads wait meanwhile. Its errors
// are ErrClosed, ErrUnread and body's.
func (fd *FD) Reading(body func(Waiting) error) error { return fd.raw(&fd.rd, false, body) }

// Writing runs body as the one write of fd.
func (fd *FD) Writing(body func(Waiting) error) error { return fd.raw(&fd.wr, false, body) }

// SendFile sends from the file src, at its position, to its end or, if limit is
// not negative, up to limit bytes. handled is false if src is not of a kind that
// sendfile(2) reads from; then nothing was sent. It may block on reading src, and
// honours the write deadline and Close while it waits for the connection. Its errors are
// Write's.
func (fd *FD) SendFile(src int, limit int64) (written int64, handled bool, err error) {
	tried := false
	err = fd.Writing(func(wait Waiting) error {
		for limit < 0 || written < limit {
			count := int64(maxSendfile)
			if limit >= 0 {
				count = min(count, limit-written)
			}
			var n int
			err := wait.Do(func(sysfd int) (err error) {
				tried = true
				// Package syscall's call has the race detector's edge.
				n, err = syscall.Sendfile(sysfd, src, nil, int(count))
				return err
			})
			if unreadable := err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP; unreadable && written == 0 {
				return nil
			}
			if err != nil {
				return err
			}
			handled = true
			written += int64(n)
			fd.CountWritten(int64(n))
			if n == 0 {
				return nil
			}
		}
		handled = true
		return nil
	})
	if !tried {
		// The connection is closed, or its deadline has passed: the caller's ordinary
		// write finds out, and has the error for it.
		return 0, handled, nil
	}
	return written, handled || err != nil, err
}

// Side is one half of a connection: it runs body as the one call on it, as
// FD.Reading and FD.Writing do.
type Side func(body func(Waiting) error) error

// Splice moves bytes from src to dst through a pipe, without copying them to user
// space. It ends when src ends or, if limit is not negative, when limit bytes were moved.
// Like package net, it takes each side for one step at a time: others may write to dst
// while there is nothing to move. handled is false if splice(2) does not work on such
// descriptors; then nothing was moved. read says that an error is src's. Its errors are
// those of the sides and syscall.Errno.
func Splice(dst, src Side, limit int64) (moved int64, handled, read bool, err error) {
	return splice(dst, src, limit, 0)
}

// splice is Splice, but also ends, with handled false, when splicedLess steps in a row have
// moved fewer than least bytes each.
func splice(dst, src Side, limit, least int64) (moved int64, handled, read bool, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, false, false, nil // the caller copies instead
	}
	defer func() {
		err = errjoin.Join(err, os.NewSyscallError("close", unix.Close(p[0])), os.NewSyscallError("close", unix.Close(p[1])))
	}()
	// A smaller pipe only means more calls.
	_, _ = unix.FcntlInt(uintptr(p[0]), unix.F_SETPIPE_SZ, spliceSize)
	for less := 0; limit < 0 || moved < limit; {
		count := int64(spliceSize)
		if limit >= 0 {
			count = min(count, limit-moved)
		}
		n, err := spliceStep(src, count, func(sysfd int, count int) (int64, error) {
			n, err := unix.Splice(sysfd, nil, p[1], nil, count, unix.SPLICE_F_NONBLOCK)
			return int64(n), err // an int on 32-bit systems
		})
		if errors.Is(err, unix.EINVAL) && moved == 0 {
			return 0, false, true, nil
		}
		if err != nil || n == 0 {
			return moved, true, true, err
		}
		step := int64(0)
		for n > 0 {
			k, err := spliceStep(dst, n, func(sysfd int, count int) (int64, error) {
				n, err := unix.Splice(p[0], nil, sysfd, nil, count, unix.SPLICE_F_NONBLOCK)
				return int64(n), err
			})
			if err != nil {
				return moved, true, false, err // what is in the pipe is lost, as in package net
			}
			n -= k
			moved += k
			step += k
		}
		if less++; step >= least {
			less = 0
		} else if less == splicedLess {
			return moved, false, false, nil
		}
	}
	return moved, true, false, nil
}

// spliceStep is one splice(2) with its waiting.
func spliceStep(side Side, count int64, call func(sysfd int, count int) (int64, error)) (n int64, err error) {
	err = side(func(wait Waiting) error {
		return wait.Do(func(sysfd int) (err error) {
			n, err = call(sysfd, int(count))
			return err
		})
	})
	return max(n, 0), err
}
