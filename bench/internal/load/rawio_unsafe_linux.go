package load

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read is a read(2) of a non-blocking descriptor, repeated if a signal interrupts
// it, without the scheduler's bookkeeping, as are Write, Send and Recv: the load
// generator should cost as little as it can.
func Read(fd int, p []byte) (int, syscall.Errno) { return rawIO(unix.SYS_READ, fd, p, 0) }

// Write is a write(2) like it.
func Write(fd int, p []byte) (int, syscall.Errno) { return rawIO(unix.SYS_WRITE, fd, p, 0) }

// Send is a send(2) that does not block, on any socket.
func Send(fd int, p []byte) (int, syscall.Errno) {
	return rawIO(unix.SYS_SENDTO, fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// Recv is a recv(2) that does not block, on any socket.
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
