package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendRaw is a send(2) that does not block and does not tell the scheduler.
func sendRaw(fd int, p []byte) (int, syscall.Errno) {
	return rawIO(unix.SYS_SENDTO, fd, p, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

// recvRaw is a recv(2) like it.
func recvRaw(fd int, p []byte) (int, syscall.Errno) {
	return rawIO(unix.SYS_RECVFROM, fd, p, unix.MSG_DONTWAIT)
}

func rawIO(trap uintptr, fd int, p []byte, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
