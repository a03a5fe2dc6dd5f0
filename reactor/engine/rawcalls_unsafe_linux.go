package engine

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls here never block, so they are raw: they skip the scheduler's
// entersyscall and exitsyscall, which let another thread take the P away in the middle
// of a batch. Memory that they lend to the kernel must not be on a stack.

// rawCall retries EINTR.
func rawCall(trap, a1, a2, a3, a4, a5, a6 uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(trap, a1, a2, a3, a4, a5, a6)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// result turns a raw call's answer into a completion's form.
func result(n int, errno syscall.Errno) int32 {
	if errno != 0 {
		return -int32(errno)
	}
	return int32(n)
}

// Shutdown is shutdown(2).
func Shutdown(sysfd int32, how int) syscall.Errno {
	_, errno := rawCall(unix.SYS_SHUTDOWN, uintptr(sysfd), uintptr(how), 0, 0, 0, 0)
	return errno
}

// Close is close(2) of a descriptor whose close does not wait. It does not retry: on
// Linux the descriptor is gone even after EINTR.
func Close(sysfd int32) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_CLOSE, uintptr(sysfd), 0, 0)
	return errno
}

// EpollPoll is epoll_wait(2) without waiting. It returns how many events it stored.
func EpollPoll(epfd int, events []unix.EpollEvent) (int, syscall.Errno) {
	return rawCall(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
}
