package engine

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// trial is a ring to try things on, with two connected sockets and a listening one.
type trial struct {
	e        *uring
	a, b     int
	listener int
	opcodes  map[uint8]bool // nil: the kernel does not tell
}

// trialBuf is what trial operations receive into. It is global: an operation that a
// kernel leaves armed writes to no other memory.
var trialBuf [16]byte

func newTrial(e *uring) (t *trial, err error) {
	t = &trial{e: e}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	t.a, t.b = pair[0], pair[1]
	t.listener, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, errjoin.Join(os.NewSyscallError("socket", err), closeAll(t.a, t.b))
	}
	// Binding to an address of no name has the kernel choose an abstract one, see unix(7).
	if err := errjoin.Join(
		os.NewSyscallError("bind", unix.Bind(t.listener, &unix.SockaddrUnix{})),
		os.NewSyscallError("listen", unix.Listen(t.listener, 1))); err != nil {
		return nil, errjoin.Join(err, closeAll(t.a, t.b, t.listener))
	}
	// A sandbox may forbid asking; then trying tells.
	t.opcodes, _ = registerProbe(e.fd)
	return t, nil
}

func (t *trial) end() error {
	return errjoin.Join(closeAll(t.a, t.b, t.listener), t.e.Close())
}

func closeAll(fds ...int) (err error) {
	for _, fd := range fds {
		err = errjoin.Join(err, os.NewSyscallError("close", unix.Close(fd)))
	}
	return err
}

var (
	// errArmed says that an operation was not answered within its submission.
	errArmed = fmt.Errorf("the kernel leaves the operation armed instead of answering EAGAIN: %w", errors.ErrUnsupported)

	errNotSet = fmt.Errorf("the flag is not set: %w", errors.ErrUnsupported)
)

// run submits o and returns what the kernel answers at once.
func (t *trial) run(o *Op) (res int32, flags uint32, err error) {
	if opcode := forms[o.Kind].opcode; t.opcodes != nil && !t.opcodes[opcode] {
		return 0, 0, fmt.Errorf("opcode %d: %w", opcode, errors.ErrUnsupported)
	}
	e := t.e
	if !e.fill(&e.sqes[*e.sqTail&e.sqMask], o) {
		return o.Result, 0, nil
	}
	atomic.StoreUint32(e.sqTail, *e.sqTail+1)
	if _, errno := e.enterCall(1, 0, iouring.IORING_ENTER_FLAGS_GETEVENTS); errno != 0 {
		atomic.StoreUint32(e.sqTail, *e.sqTail-1)
		return 0, 0, os.NewSyscallError("io_uring_enter", errno)
	}
	head := *e.cqHead
	if head == atomic.LoadUint32(e.cqTail) {
		return 0, 0, errArmed
	}
	cqe := &e.cqes[head&e.cqMask]
	res, flags = cqe.Result(), cqe.Flags()
	atomic.StoreUint32(e.cqHead, head+1)
	return res, flags, nil
}

// expect runs o and compares the answer with want.
func (t *trial) expect(o *Op, want int32) error {
	res, _, err := t.run(o)
	if err == nil && res != want {
		err = fmt.Errorf("the answer is %v instead of %v: %w", outcome(res), outcome(want), errors.ErrUnsupported)
	}
	return err
}

// outcome describes an op's result.
func outcome(res int32) string {
	if res < 0 {
		return unix.ErrnoName(syscall.Errno(-res))
	}
	return fmt.Sprint(res)
}

func trialOp(kind OpKind, fd int) *Op {
	o := new(Op)
	o.Init(kind, fd)
	return o
}

// drain empties the receiving socket for the next trial.
func (t *trial) drain() error {
	for {
		n, err := unix.Read(t.a, trialBuf[:])
		switch {
		case err == unix.EAGAIN:
			return nil
		case err != nil && err != unix.EINTR:
			return os.NewSyscallError("read", err)
		case n == 0 && err == nil:
			return nil
		}
	}
}
