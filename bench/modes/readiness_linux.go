package main

import (
	"errors"
	"os"
	"syscall"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// readinessLoop is the library's design without its goroutines: epoll says which
// sockets are ready, and the RECVs of all of them make one submission, the SENDs
// of their answers the next. No operation is left armed.
type readinessLoop struct {
	ring  *ring
	bufs  *buffers
	epfd  int
	conns [maxReady]int // the sockets of a batch
	ready []int         // those that have brought a request
	over  []int         // those that are at their end
}

// maxReady is how many sockets make a batch.
const maxReady = 256

func readiness(listener int) error {
	r, err := newRing(0, sqEntries, cqEntries, 0)
	if err != nil {
		return err
	}
	bufs, err := newBuffers(r, &ringMode{})
	if err != nil {
		return err
	}
	l := &readinessLoop{ring: r, bufs: bufs}
	if l.epfd, err = epollOf(listener); err != nil {
		return err
	}
	var events [maxReady]unix.EpollEvent
	for {
		n, err := unix.EpollWait(l.epfd, events[:], -1)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		batch := 0
		for i := range max(n, 0) {
			if fd := int(events[i].Fd); fd == listener {
				_, err = acceptInto(l.epfd, listener)
			} else {
				err = l.queueRecv(batch, fd)
				batch++
			}
			if err != nil {
				return err
			}
		}
		if err := l.run(batch); err != nil {
			return err
		}
	}
}

// run takes a batch of receives and the sends that follow from it to their end.
func (l *readinessLoop) run(batch int) error {
	l.ready, l.over = l.ready[:0], l.over[:0]
	if err := l.submit(batch); err != nil {
		return err
	}
	for _, i := range l.ready {
		if err := l.queueSend(i); err != nil {
			return err
		}
	}
	if err := l.submit(len(l.ready)); err != nil {
		return err
	}
	for _, fd := range l.over {
		if err := unix.Close(fd); err != nil {
			return os.NewSyscallError("close", err)
		}
	}
	return nil
}

// submit hands n operations to the kernel, which completes each at once.
func (l *readinessLoop) submit(n int) error {
	var wait, flags uint32
	for tries := 0; n > 0; tries++ {
		if tries == maxTries {
			return errors.New("operations without completions")
		}
		if err := l.ring.enter(wait, flags); err != nil {
			return err
		}
		done, err := l.ring.reap(l.complete)
		if err != nil {
			return err
		}
		n -= done
		flags = iouring.IORING_ENTER_FLAGS_GETEVENTS // see what keeps the rest
	}
	return nil
}

func (l *readinessLoop) complete(e completion) error {
	i := int(e.userData >> 8)
	switch {
	case e.res == -int32(unix.EAGAIN):
	case e.res < 0 && isRefusal(e.res):
		return refused("IORING_OP_RECV or SEND with MSG_DONTWAIT", syscall.Errno(-e.res))
	case e.res <= 0:
		l.over = append(l.over, l.conns[i])
	case uint8(e.userData) == kindRecv:
		l.ready = append(l.ready, i)
	case int(e.res) < len(load.Answer):
		return errors.New("a peer does not read its answers")
	}
	return nil
}

func (l *readinessLoop) queueRecv(i, fd int) error {
	e, err := l.ring.next()
	if err != nil {
		return err
	}
	l.conns[i] = fd
	e.PrepOperation(iouring.IORING_OP_RECV, int32(fd), address(l.bufs.own[i*recvSize:]), recvSize, 0)
	e.SetOpFlags(unix.MSG_DONTWAIT)
	e.SetUserData(userData(kindRecv, uint32(i)))
	return nil
}

func (l *readinessLoop) queueSend(i int) error {
	e, err := l.ring.next()
	if err != nil {
		return err
	}
	e.PrepOperation(iouring.IORING_OP_SEND, int32(l.conns[i]), address(l.bufs.answer), uint32(len(l.bufs.answer)), 0)
	e.SetOpFlags(unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL)
	e.SetUserData(userData(kindSend, uint32(i)))
	return nil
}
