package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const httpCloseRequest = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"

// runClose makes a connection for each request; the server closes it. The load
// generator answers the end with a reset: else all these connections would be in
// TIME_WAIT for a minute each, and after some seconds there would be so many that
// everything else on the machine got slower. To the server's program it is the same.
func (l *loader) runClose() (res loadResult, err error) {
	l.answers = httpAnswers()
	l.msg = []byte(httpCloseRequest)
	l.step = l.once
	for i := range l.job.Conns {
		l.conns = append(l.conns, client{id: i, fd: -1})
		if err := l.reconnect(&l.conns[i]); err != nil {
			return res, err
		}
	}
	return l.measure(l.loop)
}

// reconnect connects c and sends its request, in as few system calls as it takes,
// since this work limits what a server can show. On loopback the connection is made
// by the time connect returns; were it not, the write would be left to once.
func (l *loader) reconnect(c *client) (err error) {
	c.sent, c.got, c.since = 0, 0, time.Now()
	c.fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		c.fd = -1
		return os.NewSyscallError("socket", err)
	}
	if err := unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	err = unix.Connect(c.fd, &unix.SockaddrInet4{Port: l.job.Port, Addr: [4]byte{127, 0, 0, 1}})
	if err != nil && err != unix.EINPROGRESS {
		return os.NewSyscallError("connect", err)
	}
	if err := c.write(l.msg); err != nil {
		return err
	}
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET)
	if c.sent < len(l.msg) {
		events |= unix.EPOLLOUT
	}
	return l.epoll.Add(c.fd, events, c.id)
}

// once sends what is left of c's request, receives the answer and the end, and connects again.
func (l *loader) once(c *client) error {
	if err := c.write(l.msg); err != nil {
		return err
	}
	for {
		p, err := c.read(l.buf)
		if err == errAgain {
			return nil
		}
		if errors.Is(err, errHungUp) {
			if c.got != l.answers.length {
				return fmt.Errorf("the server closed a connection after %d bytes instead of %d", c.got, l.answers.length)
			}
			err := unix.Close(c.fd)
			if c.fd = -1; err != nil {
				return os.NewSyscallError("close", err)
			}
			if err := l.Completed(c.since, time.Now(), 1); err != nil {
				return err
			}
			return l.reconnect(c)
		}
		if err != nil {
			return err
		}
		if err := l.answers.check(c.id, c.got, p); err != nil {
			return err
		}
		if c.got += len(p); c.got > l.answers.length {
			return fmt.Errorf("an answer of %d bytes instead of %d", c.got, l.answers.length)
		}
	}
}
