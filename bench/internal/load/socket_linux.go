package load

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Dial returns a blocking socket that is connected to a port of the loopback device,
// with TCP_NODELAY.
func Dial(port int) (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("connect", unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	if err == nil {
		err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// Listen returns a listening, blocking socket of the loopback device, and its port,
// which is a free one.
func Listen(backlog int) (fd, port int, err error) {
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
