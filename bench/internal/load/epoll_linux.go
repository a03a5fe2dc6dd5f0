package load

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Epoll is a set of descriptors, and the loop that waits for them.
type Epoll struct {
	fd     int
	events [512]unix.EpollEvent
}

// NewEpoll makes an empty set.
func NewEpoll() (*Epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &Epoll{fd: fd}, nil
}

// Close frees the set, not the descriptors in it.
func (e *Epoll) Close() error { return os.NewSyscallError("close", unix.Close(e.fd)) }

// Add adds a descriptor, whose events (EPOLLIN and so on) will be reported for id.
// Closing the descriptor removes it.
func (e *Epoll) Add(fd int, events uint32, id int) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(id)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(e.fd, unix.EPOLL_CTL_ADD, fd, &ev))
}

// Wait waits for events at most so long and calls step with the id of each that has
// come. It ends with step's first error.
func (e *Epoll) Wait(d time.Duration, step func(id int) error) error {
	d = max(d, 0) // a negative time would mean for ever
	n, err := unix.EpollWait(e.fd, e.events[:], int((d+time.Millisecond-1)/time.Millisecond))
	if err != nil && err != unix.EINTR {
		return os.NewSyscallError("epoll_wait", err)
	}
	for i := range max(n, 0) {
		if err := step(int(e.events[i].Fd)); err != nil {
			return err
		}
	}
	return nil
}

// Loop is Wait, over and over until the given time.
func (e *Epoll) Loop(until time.Time, step func(id int) error) error {
	for {
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		if err := e.Wait(left, step); err != nil {
			return err
		}
	}
}
