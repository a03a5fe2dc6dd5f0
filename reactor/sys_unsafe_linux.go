package reactor

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls here never block, so they are raw: they skip the scheduler's
// entersyscall and exitsyscall, which would let another thread take the P away
// in the middle of a batch. Each retries EINTR.

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

func sysRecv(fd int32, p []byte) int32 {
	return result(rawCall(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0))
}

// sysRecvGated is sysRecv through package syscall's gate to the scheduler, which
// package net's calls pass, too.
//
// Nothing here blocks, so there is no need to. But the gate has a side effect: it
// wakes the runtime's monitor thread, if all was quiet. Where a server starts a
// goroutine for each request, as net/http does, that spares the thread woken for it
// a wait on a CPU that sleeps: one HTTP connection on two cores went from 0.80 to
// 1.01 times net. It costs a quarter more CPU time, which counts once there is more
// to do; but then the receive is in a batch.
func sysRecvGated(fd int32, p []byte) int32 {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return result(int(n), errno)
		}
	}
}

// sysPeek is recv(2) that leaves the bytes where they are.
func sysPeek(fd int32, p []byte) int32 {
	return result(rawCall(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_PEEK, 0, 0))
}

func sysSend(fd int32, p []byte) int32 {
	return result(rawCall(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0))
}

func sysSendmsg(fd int32, msg *unix.Msghdr) int32 {
	return result(rawCall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(msg)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0, 0))
}

func sysAccept(fd int32, sa *rawSockaddr) int32 {
	sa.len = uint32(unsafe.Sizeof(sa.any))
	return result(rawCall(unix.SYS_ACCEPT4, uintptr(fd),
		uintptr(unsafe.Pointer(&sa.any)), uintptr(unsafe.Pointer(&sa.len)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0))
}

// listenInfo is the beginning of what TCP_INFO tells. For a listener, unacked is the
// number of connections that wait to be accepted, and sacked how many there may be:
// see tcp_get_info in the kernel's net/ipv4/tcp.c.
type listenInfo struct {
	_               [8]uint8
	_               [4]uint32
	unacked, sacked uint32
	size            uint32 // not part of it: how long it is
}

// sysListenInfo asks a TCP socket. Like all memory that is lent to the kernel here,
// info must not be on a stack.
func sysListenInfo(fd int32, info *listenInfo) syscall.Errno {
	info.size = uint32(unsafe.Offsetof(info.size))
	_, errno := rawCall(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(info)), uintptr(unsafe.Pointer(&info.size)), 0)
	return errno
}

func sysShutdown(fd int32, how int) syscall.Errno {
	_, errno := rawCall(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how), 0, 0, 0, 0)
	return errno
}

// sysClose does not retry: on Linux the descriptor is gone even after EINTR.
func sysClose(fd int32) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return errno
}

// sysEpollPoll collects ready descriptors without waiting.
func sysEpollPoll(epfd int, events []unix.EpollEvent) (int, syscall.Errno) {
	return rawCall(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
}
