package load

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// read reads what has arrived: nil if there is nothing, an empty slice if the peer has hung up.
func (c *client) read(buf []byte) []byte {
	if n, ok := transfer("read", unix.SYS_READ, c.fd, buf); ok {
		return buf[:n]
	}
	return nil
}

// write sends p[c.sent:] as far as the socket takes it.
func (c *client) write(p []byte) {
	for c.sent < len(p) {
		n, ok := transfer("write", unix.SYS_WRITE, c.fd, p[c.sent:])
		if !ok {
			return
		}
		c.sent += n
	}
}

// transfer makes a read(2) or write(2). ok is false if the call would block; any other error
// ends the job.
func transfer(call string, trap uintptr, fd int, p []byte) (n int, ok bool) {
	n, errno := rawIO(trap, fd, p, 0)
	if errno == unix.EAGAIN {
		return 0, false
	}
	if errno != 0 {
		check(call, errno)
	}
	return n, true
}

// Send is send(2) without blocking. Neither Send nor Recv tells the Go scheduler of the system
// call: the load generator and the event loops that use them should cost as little as possible.
func Send(fd int, p []byte) (int, syscall.Errno) {
	return rawIO(unix.SYS_SENDTO, fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// Recv is recv(2) without blocking.
func Recv(fd int, p []byte) (int, syscall.Errno) {
	return rawIO(unix.SYS_RECVFROM, fd, p, unix.MSG_DONTWAIT)
}

// rawIO makes a system call until no signal interrupts it; read(2) and write(2) ignore flags.
func rawIO(trap uintptr, fd int, p []byte, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
