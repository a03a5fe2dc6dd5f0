package load

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// read reads what there is: nil if there is nothing now, an empty slice if the peer has
// hung up.
func (c *client) read(buf []byte) []byte {
	n, errno := rawIO(unix.SYS_READ, c.fd, buf, 0)
	if errno == unix.EAGAIN {
		return nil
	}
	if errno != 0 {
		check("read", errno)
	}
	return buf[:n]
}

// write sends p[c.sent:] as far as the socket takes it.
func (c *client) write(p []byte) {
	for c.sent < len(p) {
		n, errno := rawIO(unix.SYS_WRITE, c.fd, p[c.sent:], 0)
		if errno == unix.EAGAIN {
			return
		}
		if errno != 0 {
			check("write", errno)
		}
		c.sent += n
	}
}

// Send is a send(2) that does not block, on any socket, and is repeated if a signal
// interrupts it. As with Recv, the Go scheduler does not learn of it: that costs the
// load generator, and the event loops that are compared with, as little as it can.
func Send(fd int, p []byte) (int, syscall.Errno) {
	return rawIO(unix.SYS_SENDTO, fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// Recv is a recv(2) like it.
func Recv(fd int, p []byte) (int, syscall.Errno) {
	return rawIO(unix.SYS_RECVFROM, fd, p, unix.MSG_DONTWAIT)
}

// rawIO makes a system call; read(2) and write(2) do not look at flags.
func rawIO(trap uintptr, fd int, p []byte, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
