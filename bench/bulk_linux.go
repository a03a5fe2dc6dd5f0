package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fileSize is the size of the file that the file server sends on each connection.
const fileSize = 1 << 30

// bulkUnit is what a bulk workload counts as a request.
const bulkUnit = 1 << 20

// serveFile sends a file of fileSize bytes on each connection, with io.Copy.
func serveFile(ln net.Listener) error {
	f, err := os.CreateTemp("", "netring-bench-*")
	if err != nil {
		return err
	}
	if err := errors.Join(os.Remove(f.Name()), f.Truncate(fileSize)); err != nil {
		return err
	}
	name := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			own, err := os.Open(name) // with a position of its own
			if err != nil {
				fmt.Fprintln(os.Stderr, "bench: file server:", err)
				return
			}
			defer own.Close()
			// The load generator hangs up at the end of its turn.
			_, _ = io.Copy(c, own)
		}()
	}
}

// serveProxy takes connections in pairs and copies from the first to the second.
func serveProxy(ln net.Listener) error {
	for {
		src, err := ln.Accept()
		if err != nil {
			return err
		}
		dst, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer src.Close()
			defer dst.Close()
			_, _ = io.Copy(dst, src) // as above
		}()
	}
}

// runBulk moves bytes: from the file server, or through the proxy.
func (l *loader) runBulk() (res loadResult, err error) {
	l.buf = make([]byte, 1<<20)
	if l.epfd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return res, os.NewSyscallError("epoll_create1", err)
	}
	defer func() {
		for _, c := range l.conns {
			err = errors.Join(err, unix.Close(c.fd))
		}
		err = errors.Join(err, unix.Close(l.epfd))
	}()
	connect := func() error { return l.connect(len(l.conns)) }
	if l.job.Bulk == "proxy" {
		err = errors.Join(connect(), connect())
	} else {
		err = connect()
	}
	if err != nil {
		return res, err
	}
	if _, err := l.pump(time.Now().Add(l.job.Warmup)); err != nil {
		return res, err
	}
	if _, err := fmt.Fprintln(l.out, markStart); err != nil {
		return res, err
	}
	begin := time.Now()
	bytes, err := l.pump(begin.Add(l.job.Duration))
	if err != nil {
		return res, err
	}
	res.Elapsed = time.Since(begin)
	if _, err := fmt.Fprintln(l.out, markEnd); err != nil {
		return res, err
	}
	res.Requests = bytes / bulkUnit
	res.P50 = res.Elapsed / time.Duration(max(res.Requests, 1))
	res.P99 = res.P50
	return res, nil
}

// pump moves bytes until the given time and returns how many arrived.
func (l *loader) pump(until time.Time) (arrived int64, err error) {
	var events [4]unix.EpollEvent
	for {
		left := time.Until(until)
		if left <= 0 {
			return arrived, nil
		}
		if l.job.Bulk == "proxy" {
			for {
				n, errno := rawIO(unix.SYS_WRITE, l.conns[0].fd, l.buf)
				if errno != 0 && errno != unix.EAGAIN {
					return arrived, os.NewSyscallError("write", errno)
				}
				if errno != 0 || n < len(l.buf) {
					break
				}
			}
		}
		in := &l.conns[len(l.conns)-1]
		for range 16 {
			// MSG_TRUNC has TCP throw the bytes away: tcp(7).
			n, _, err := unix.Recvfrom(in.fd, l.buf, unix.MSG_TRUNC)
			if err == unix.EAGAIN {
				break
			}
			if err != nil {
				return arrived, os.NewSyscallError("recvfrom", err)
			}
			if n == 0 && l.job.Bulk == "file" { // the next file
				if in.got != fileSize {
					return arrived, fmt.Errorf("a file of %d bytes instead of %d", in.got, fileSize)
				}
				if err := errors.Join(os.NewSyscallError("close", unix.Close(in.fd))); err != nil {
					return arrived, err
				}
				l.conns = l.conns[:0]
				if err := l.connect(0); err != nil {
					return arrived, err
				}
				break
			}
			if n == 0 {
				return arrived, errors.New("the proxy closed the connection")
			}
			in.got += n
			arrived += int64(n)
		}
		if _, err := unix.EpollWait(l.epfd, events[:], int(left/time.Millisecond)+1); err != nil && err != unix.EINTR {
			return arrived, os.NewSyscallError("epoll_wait", err)
		}
	}
}
