package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// epollLoop is the base line of the loops: epoll_wait, recv, send.
func epollLoop(listener int) error {
	epfd, err := epollOf(listener)
	if err != nil {
		return err
	}
	var events [256]unix.EpollEvent
	buf := make([]byte, recvSize)
	out := []byte(load.Answer)
	for {
		n, err := unix.EpollWait(epfd, events[:], -1)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		for i := range max(n, 0) {
			fd := int(events[i].Fd)
			if fd == listener {
				if _, err := acceptInto(epfd, listener); err != nil {
					return err
				}
				continue
			}
			over, err := answerReady(fd, buf, out)
			if err == nil && over {
				err = os.NewSyscallError("close", unix.Close(fd))
			}
			if err != nil {
				return err
			}
		}
	}
}

// answerReady answers the request on a readable socket. It reports whether the
// connection is over.
func answerReady(fd int, buf, out []byte) (over bool, err error) {
	n, errno := load.Recv(fd, buf)
	switch {
	case errno == unix.EAGAIN:
		return false, nil
	case errno != 0 || n == 0:
		return true, nil // the peer has gone
	}
	n, errno = load.Send(fd, out)
	switch {
	case errno != 0 && errno != unix.EAGAIN:
		return true, nil
	case errno == unix.EAGAIN || n < len(out):
		// An answer fits the socket's buffer unless the peer has not read hundreds.
		return false, fmt.Errorf("a peer does not read its answers")
	}
	return false, nil
}

// epollOf makes an epoll descriptor that reports a non-blocking listener.
func epollOf(listener int) (epfd int, err error) {
	if err := unix.SetNonblock(listener, true); err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	if epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return 0, os.NewSyscallError("epoll_create1", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(listener)}
	return epfd, os.NewSyscallError("epoll_ctl", unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, listener, &ev))
}

// acceptInto accepts one connection, if there is one, and has epfd report it.
func acceptInto(epfd, listener int) (fd int, err error) {
	fd, _, err = unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch err {
	case nil:
	case unix.EAGAIN, unix.EINTR, unix.ECONNABORTED:
		return -1, nil
	default:
		return -1, os.NewSyscallError("accept4", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return -1, errors.Join(os.NewSyscallError("epoll_ctl", err), unix.Close(fd))
	}
	return fd, nil
}
