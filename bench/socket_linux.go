package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// connectTimeout bounds connecting, which the kernel would try for minutes.
const connectTimeout = 10 * time.Second

// connect makes one more connection, non-blocking and in the epoll set.
func (l *loader) connect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	l.conns = append(l.conns, client{fd: fd, id: len(l.conns)}) // and closed with them
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: l.job.Port, Addr: [4]byte{127, 0, 0, 1}})
	if err == unix.EINPROGRESS {
		err = connected(fd)
	}
	if err != nil {
		return fmt.Errorf("connection %d: %w", len(l.conns), os.NewSyscallError("connect", err))
	}
	return l.prepare(&l.conns[len(l.conns)-1])
}

// connected waits until fd is connected.
func connected(fd int) error {
	for end := time.Now().Add(connectTimeout); ; {
		left := time.Until(end)
		if left <= 0 {
			return unix.ETIMEDOUT
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, int(left/time.Millisecond)+1)
		if err != nil && err != unix.EINTR {
			return err
		}
		if n > 0 {
			break
		}
	}
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = syscall.Errno(errno)
	}
	return err
}

// prepare sets c's socket up and has epoll report its edges.
func (l *loader) prepare(c *client) error {
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return l.epoll.Add(c.fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET, c.id)
}

// groupSize is how many connections are made before their first answers are
// waited for: fewer than a listener's backlog, which is 4096 on most systems.
const groupSize = 512

// groupTimeout bounds that waiting.
const groupTimeout = 15 * time.Second

// connectAll makes n connections, in groups. It calls first with each and waits
// until l.queued, which first may count up and step may count down, is 0 again.
func (l *loader) connectAll(n int, first func(c *client) error) error {
	for n > 0 {
		group := min(n, groupSize)
		for range group {
			if err := l.connect(); err != nil {
				return err
			}
			if err := first(&l.conns[len(l.conns)-1]); err != nil {
				return err
			}
		}
		n -= group
		for end := time.Now().Add(groupTimeout); l.queued > 0; {
			left := time.Until(end)
			if left <= 0 {
				return fmt.Errorf("%d of %d connections had no answer within %v", l.queued, group, groupTimeout)
			}
			if err := l.events(left); err != nil {
				return err
			}
		}
	}
	return nil
}

// write sends p[c.sent:] as far as the socket takes it.
func (c *client) write(p []byte) error {
	for c.sent < len(p) {
		n, errno := load.Write(c.fd, p[c.sent:])
		if errno == unix.EAGAIN {
			return nil
		}
		if errno != 0 {
			return os.NewSyscallError("write", errno)
		}
		c.sent += n
	}
	return nil
}

// errHungUp is the answer of a server that closes a connection.
var errHungUp = errors.New("the server closed a connection")

// errAgain says that there is nothing to read now.
var errAgain = errors.New("nothing to read")

// read reads what there is.
func (c *client) read(buf []byte) ([]byte, error) {
	n, errno := load.Read(c.fd, buf)
	switch {
	case errno == unix.EAGAIN:
		return nil, errAgain
	case errno != 0:
		return nil, os.NewSyscallError("read", syscall.Errno(errno))
	case n == 0:
		return nil, errHungUp
	}
	return buf[:n], nil
}
