package main

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// socketCalls measures what a batch is made of, in ns: sending an answer over a
// loopback connection, delivery to the peer included, and receiving one. Both
// ends take turns, so that acknowledgements travel with the next message.
func socketCalls(n int) (send, recv float64, err error) {
	a, b, err := connected()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, unix.Close(a), unix.Close(b)) }()
	msg, buf := []byte(answer), make([]byte, len(answer))
	var sends, recvs []float64
	for range n {
		t0 := time.Now()
		if _, err := unix.Write(a, msg); err != nil {
			return 0, 0, os.NewSyscallError("write", err)
		}
		t1 := time.Now()
		if _, err := unix.Read(b, buf); err != nil { // a blocking socket, and it is there
			return 0, 0, os.NewSyscallError("read", err)
		}
		sends = append(sends, float64(t1.Sub(t0).Nanoseconds()))
		recvs = append(recvs, float64(time.Since(t1).Nanoseconds()))
		a, b = b, a
	}
	return middle(sends), middle(recvs), nil
}

// connected returns both ends of a loopback connection.
func connected() (a, b int, err error) {
	ln, port, err := listening(1)
	if err != nil {
		return -1, -1, err
	}
	defer func() { err = errors.Join(err, unix.Close(ln)) }()
	if a, err = dial(port); err != nil {
		return -1, -1, err
	}
	if b, _, err = unix.Accept4(ln, unix.SOCK_CLOEXEC); err != nil {
		return -1, -1, errors.Join(os.NewSyscallError("accept4", err), unix.Close(a))
	}
	return a, b, nil
}

// listening returns a listening socket of the loopback device and its port.
func listening(backlog int) (fd, port int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, 0, os.NewSyscallError("socket", err)
	}
	err = errors.Join(
		os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})),
		os.NewSyscallError("listen", unix.Listen(fd, backlog)))
	if err != nil {
		return -1, 0, errors.Join(err, unix.Close(fd))
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return -1, 0, errors.Join(os.NewSyscallError("getsockname", err), unix.Close(fd))
	}
	return fd, sa.(*unix.SockaddrInet4).Port, nil
}
