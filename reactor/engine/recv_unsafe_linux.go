package engine

import (
	"fmt"
	"os"
	"unsafe"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/errjoin"
)

var recvForm = form{
	opcode:  iouring.IORING_OP_RECV,
	fill:    fillRecv,
	call:    callRecv,
	trial:   (*trial).recvSend,
	feature: featureRecvSend,
}

// sysRecv is recv(2) without waiting.
func sysRecv(fd int32, p []byte) int32 {
	return result(rawCall(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0))
}

// sysPeek is sysRecv that leaves the bytes in the socket.
func sysPeek(fd int32, p []byte) int32 {
	return result(rawCall(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_PEEK, 0, 0))
}

func callRecv(e *syscallEngine, o *Op) {
	if !o.Pooled {
		n := sysRecv(o.FD, o.Buf)
		o.Drained = n > 0 && int(n) < len(o.Buf)
		o.Finish(n)
		return
	}
	id, ok := take(e.bufs)
	if !ok {
		o.Finish(-int32(unix.ENOBUFS)) // as the ring does
		return
	}
	chunk := e.bufs.Bytes(id, e.bufs.BufferSize())
	n := sysRecv(o.FD, chunk)
	if n <= 0 {
		e.bufs.Recycle(id)
	} else {
		o.Buffer = int32(id)
		o.Drained = int(n) < len(chunk)
	}
	o.Finish(n)
}

// take takes a shared buffer, if there is one.
func take(bufs *bufring.Ring) (id uint16, ok bool) {
	if bufs == nil {
		return 0, false
	}
	return bufs.Take()
}

func fillRecv(e *uring, sqe *iouring.SubmissionQueueEntry64, o *Op) bool {
	buf := o.Buf
	if o.Pooled && !e.provided {
		id, ok := take(e.bufs)
		if !ok {
			o.Finish(-int32(unix.ENOBUFS))
			return false
		}
		o.Buffer = int32(id)
		buf = e.bufs.Bytes(id, e.bufs.BufferSize())
	}
	if o.Pooled && e.provided {
		sqe.PrepOperation(iouring.IORING_OP_RECV, o.FD, 0, 0, 0)
		sqe.SetFlags(iouring.IOSQE_FLAGS_BUFFER_SELECT)
		sqe.SetBufGroup(bufferGroup)
	} else {
		sqe.PrepOperation(iouring.IORING_OP_RECV, o.FD, bufAddr(buf), uint32(len(buf)), 0)
	}
	// MSG_DONTWAIT keeps the kernel from leaving the op armed even if somebody with a
	// duplicate of the descriptor has cleared O_NONBLOCK.
	sqe.SetOpFlags(unix.MSG_DONTWAIT)
	return true
}

func (t *trial) recvSend() error {
	recv, send := trialOp(Recv, t.a), trialOp(Send, t.b)
	recv.Buf, send.Buf = trialBuf[:1], []byte("x")
	if err := t.expect(recv, -int32(unix.EAGAIN)); err != nil {
		return fmt.Errorf("RECV: %w", err)
	}
	if err := t.expect(send, 1); err != nil {
		return fmt.Errorf("SEND: %w", err)
	}
	if err := t.expect(recv, 1); err != nil {
		return fmt.Errorf("RECV: %w", err)
	}
	return nil
}

// nonempty receives one of two bytes.
func (t *trial) nonempty() error {
	if _, err := unix.Write(t.b, []byte("xx")); err != nil {
		return os.NewSyscallError("write", err)
	}
	o := trialOp(Recv, t.a)
	o.Buf = trialBuf[:1]
	res, flags, err := t.run(o)
	switch {
	case err != nil:
	case res != 1:
		err = fmt.Errorf("RECV: the answer is %v instead of 1", outcome(res))
	case flags&ioringCQEFSockNonempty == 0:
		err = errNotSet
	}
	return errjoin.Join(err, t.drain())
}

// provided receives into a buffer of the kernel's choice.
func (t *trial) provided() (err error) {
	bufs, err := bufring.New(1, bufring.MinBufferSize)
	if err != nil {
		return err
	}
	defer func() { err = errjoin.Join(err, bufs.Reclaim(), bufs.Close()) }()
	if err := bufs.Register(t.e.fd, bufferGroup); err != nil {
		return err
	}
	if _, err := unix.Write(t.b, []byte("x")); err != nil {
		return os.NewSyscallError("write", err)
	}
	t.e.capabilities.provided = true
	o := trialOp(Recv, t.a)
	o.Pooled = true
	res, flags, err := t.run(o)
	t.e.capabilities.provided = false
	if err == nil && (res != 1 || flags&ioringCQEFBuffer == 0) {
		err = fmt.Errorf("the answer is %v with flags %#x instead of 1 and a buffer", outcome(res), flags)
	}
	return errjoin.Join(err, t.drain())
}
