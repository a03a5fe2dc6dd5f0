package engine

import (
	"unsafe"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

var sendForm = form{
	opcode:  iouring.IORING_OP_SEND,
	fill:    fillSend,
	call:    func(_ *syscallEngine, o *Op) { o.Finish(sysSend(o.FD, o.Buf)) },
	trial:   (*trial).recvSend,
	feature: featureRecvSend,
}

var sendmsgForm = form{
	opcode:  iouring.IORING_OP_SENDMSG,
	fill:    fillSendmsg,
	call:    func(_ *syscallEngine, o *Op) { o.Finish(sysSendmsg(o.FD, o.Msg)) },
	trial:   (*trial).sendmsg,
	feature: featureSendmsg,
}

func sysSend(fd int32, p []byte) int32 {
	return result(rawCall(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0))
}

func sysSendmsg(fd int32, msg *unix.Msghdr) int32 {
	return result(rawCall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(msg)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0, 0))
}

func fillSend(_ *uring, sqe *iouring.SubmissionQueueEntry64, o *Op) bool {
	sqe.PrepOperation(iouring.IORING_OP_SEND, o.FD, bufAddr(o.Buf), uint32(len(o.Buf)), 0)
	sqe.SetOpFlags(unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL)
	return true
}

func fillSendmsg(_ *uring, sqe *iouring.SubmissionQueueEntry64, o *Op) bool {
	sqe.PrepOperation(iouring.IORING_OP_SENDMSG, o.FD, uint64(uintptr(unsafe.Pointer(o.Msg))), 1, 0)
	sqe.SetOpFlags(unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL)
	return true
}

func (t *trial) sendmsg() error {
	var v Iovecs
	v.Load([][]byte{[]byte("x")})
	send := trialOp(Sendmsg, t.b)
	send.Msg = v.Msg()
	err := t.expect(send, 1)
	return errjoin.Join(err, t.drain())
}
