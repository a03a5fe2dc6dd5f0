package engine

import (
	"syscall"
	"unsafe"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"
)

var acceptForm = form{
	opcode:  iouring.IORING_OP_ACCEPT,
	fill:    fillAccept,
	call:    func(_ *syscallEngine, o *Op) { o.Finish(sysAccept(o.FD, o.Addr)) },
	trial:   (*trial).accept,
	feature: featureAccept,
}

func sysAccept(fd int32, sa *RawSockaddr) int32 {
	sa.len = uint32(unsafe.Sizeof(sa.any))
	return result(rawCall(unix.SYS_ACCEPT4, uintptr(fd),
		uintptr(unsafe.Pointer(&sa.any)), uintptr(unsafe.Pointer(&sa.len)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0))
}

func fillAccept(_ *uring, sqe *iouring.SubmissionQueueEntry64, o *Op) bool {
	o.Addr.len = uint32(unsafe.Sizeof(o.Addr.any))
	sqe.PrepOperation(iouring.IORING_OP_ACCEPT, o.FD,
		uint64(uintptr(unsafe.Pointer(&o.Addr.any))), 0, uint64(uintptr(unsafe.Pointer(&o.Addr.len))))
	sqe.SetOpFlags(unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC)
	// O_NONBLOCK on the listener is not enough: without this flag, the kernel leaves an
	// accept armed that finds no connection.
	sqe.SetIoprio(ioringAcceptDontwait)
	return true
}

func (t *trial) accept() error {
	o := trialOp(Accept, t.listener)
	o.Addr = new(RawSockaddr)
	return t.expect(o, -int32(unix.EAGAIN))
}

// Backlog asks how many connections of a listening TCP socket wait to be accepted. It
// is a tcp_info of the kernel, cut off behind what is asked for. The zero Backlog is
// ready for use; it must live on the heap.
type Backlog struct {
	_               [8]uint8
	_               [4]uint32
	unacked, sacked uint32
	size            uint32 // not part of it: its length
}

// Ask returns the number. Its error is EOPNOTSUPP for a socket that is not TCP. known is
// false if the socket does not listen any more, or the kernel does not tell.
//
// For a listener, tcp_get_info in the kernel's net/ipv4/tcp.c stores the length of the
// backlog in tcpi_unacked and its limit in tcpi_sacked.
func (b *Backlog) Ask(sysfd int32) (n int, known bool, errno syscall.Errno) {
	b.size = uint32(unsafe.Offsetof(b.size))
	_, errno = rawCall(unix.SYS_GETSOCKOPT, uintptr(sysfd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(b)), uintptr(unsafe.Pointer(&b.size)), 0)
	return int(b.unacked), errno == 0 && b.sacked > 0, errno
}
