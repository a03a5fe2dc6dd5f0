package engine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"unsafe"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/errjoin"
)

// What iouring-go's syscall package lacks, from linux/io_uring.h.
const (
	ioringFeatNoDrop       = iouring.IORING_FEAT_NODROP // Linux 5.5
	ioringCQEFBuffer       = 1 << 0                     // IORING_CQE_F_BUFFER: a provided buffer was used
	ioringCQEFSockNonempty = 1 << 2                     // IORING_CQE_F_SOCK_NONEMPTY, Linux 5.19
	ioringCQEBufferShift   = 16                         // IORING_CQE_BUFFER_SHIFT: its id
	ioringAcceptDontwait   = 1 << 1                     // IORING_ACCEPT_DONTWAIT, Linux 6.10
)

// bufferGroup is the id of the ring's only buffer group.
const bufferGroup = 0

// uring is the engine that submits a batch with one io_uring_enter(2).
//
// user_data is a slot, the op's index in its batch, and a generation, the number
// of the submission. Since no operation outlives its submission, a completion
// of another generation can only be a bug: it is counted and dropped.
type uring struct {
	fd   int
	mem  []byte // both rings (IORING_FEAT_SINGLE_MMAP)
	sqes []iouring.SubmissionQueueEntry64
	smem []byte // the memory of sqes
	bufs *bufring.Ring

	// capabilities is what of the kernel's features is in use. Those that fail at run time
	// are taken out: then stats counts them, and sys does their work.
	capabilities
	sys    syscallEngine
	stats  Stats
	report func(event string, err error) // nil: nobody wants to know
	peeked [1]byte                       // what demote receives into: no memory on a stack is lent to the kernel

	sqTail, sqFlags *uint32
	sqMask          uint32
	cqHead, cqTail  *uint32
	cqMask          uint32
	cqes            []iouring.CompletionQueueEvent16

	gen uint32

	// alwaysRing has an op that is alone go through the ring like others.
	alwaysRing bool
}

// newURing sets up a ring for batches of up to cfg.Size ops, a power of two, that
// uses the features in t. It registers cfg.Buffers, if it is not nil, where the kernel
// can choose from them.
func newURing(cfg Config, t capabilities) (*uring, error) {
	bufs := cfg.Buffers
	var params iouring.IOURingParams
	if t.submitAll {
		params.Flags |= iouring.IORING_SETUP_SUBMIT_ALL
	}
	fd, err := iouring.IOURingSetup(uint(cfg.Size), &params)
	if err != nil {
		var errno syscall.Errno // which the package wraps under a name of its own
		if errors.As(err, &errno) {
			err = errno
		}
		return nil, os.NewSyscallError("io_uring_setup", err)
	}
	e := &uring{fd: fd, capabilities: t, bufs: bufs, alwaysRing: raceBuild, report: cfg.Demoted, sys: syscallEngine{bufs}}
	if err := e.mapRings(&params); err != nil {
		return nil, errjoin.Join(err, e.Close())
	}
	if bufs == nil {
		e.provided = false
	}
	if e.provided {
		if err := bufs.Register(fd, bufferGroup); err != nil {
			e.provided = false
			e.gaveUp(featureProvided, err)
		}
	}
	return e, nil
}

// mapRings maps the rings the kernel described in p, see io_uring_setup(2).
func (e *uring) mapRings(p *iouring.IOURingParams) error {
	const want = iouring.IORING_FEAT_SINGLE_MMAP | ioringFeatNoDrop
	if p.Features&want != want {
		return fmt.Errorf("reactor: io_uring has features %#x and netring needs %#x: %w", p.Features, want, errors.ErrUnsupported)
	}
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	size := max(p.SQOffset.Array+p.SQEntries*4, p.CQOffset.Cqes+p.CQEntries*uint32(unsafe.Sizeof(iouring.CompletionQueueEvent16{})))
	var err error
	if e.mem, err = unix.Mmap(e.fd, int64(iouring.IORING_OFF_SQ_RING), int(size), prot, flags); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	if e.smem, err = unix.Mmap(e.fd, int64(iouring.IORING_OFF_SQES),
		int(p.SQEntries)*int(unsafe.Sizeof(iouring.SubmissionQueueEntry64{})), prot, flags); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	at := func(off uint32) unsafe.Pointer { return unsafe.Pointer(&e.mem[off]) }
	e.sqTail = (*uint32)(at(p.SQOffset.Tail))
	e.sqFlags = (*uint32)(at(p.SQOffset.Flags))
	e.sqMask = *(*uint32)(at(p.SQOffset.RingMask))
	e.cqHead, e.cqTail = (*uint32)(at(p.CQOffset.Head)), (*uint32)(at(p.CQOffset.Tail))
	e.cqMask = *(*uint32)(at(p.CQOffset.RingMask))
	e.cqes = unsafe.Slice((*iouring.CompletionQueueEvent16)(at(p.CQOffset.Cqes)), p.CQEntries)
	e.sqes = unsafe.Slice((*iouring.SubmissionQueueEntry64)(unsafe.Pointer(&e.smem[0])), p.SQEntries)
	// SQEs are used in ring order, so the indirection array never changes.
	for i, array := uint32(0), unsafe.Slice((*uint32)(at(p.SQOffset.Array)), p.SQEntries); i < p.SQEntries; i++ {
		array[i] = i
	}
	return nil
}

func (e *uring) Kind() Kind { return URing }

func (e *uring) Stats() Stats { return e.stats }

func (e *uring) Close() error {
	var errs []error
	for _, m := range [][]byte{e.mem, e.smem} {
		if m != nil {
			errs = append(errs, unix.Munmap(m))
		}
	}
	errs = append(errs, os.NewSyscallError("close", unix.Close(e.fd)))
	ringClosed.Store(int64(Clock()))
	return errjoin.Join(errs...)
}

// submit runs the batch in pieces that fit the submission queue.
//
// An op that is alone is run as a system call, which costs less than to enter the
// ring: a broadcast, one write after the other, went from 0.94 to 1.16 times net
// on two cores, from 1.18 to 1.28 times on one. Race builds do without, so that
// tests of few connections exercise the ring, too.
func (e *uring) Submit(batch []*Op) error {
	if len(batch) == 1 && !batch[0].Pooled && !e.alwaysRing {
		e.stats.Single++
		e.sys.run(batch[0])
		return nil
	}
	for len(batch) > 0 {
		n := min(len(batch), len(e.sqes))
		if err := e.submitPiece(batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

func (e *uring) submitPiece(batch []*Op) error {
	e.gen++
	tail := *e.sqTail // only this side writes it
	start := tail
	for i, o := range batch {
		if e.fill(&e.sqes[tail&e.sqMask], o) {
			e.sqes[tail&e.sqMask].SetUserData(uint64(e.gen)<<32 | uint64(i))
			tail++
		}
	}
	if tail == start {
		return nil
	}
	atomic.StoreUint32(e.sqTail, tail)
	return e.enter(batch, tail-start)
}

// enter submits the n SQEs just filled and collects their n completions. The
// first call has them all, unless the kernel ran out of something: then it is
// asked again.
func (e *uring) enter(batch []*Op, n uint32) error {
	toSubmit, missing := n, n
	var wait, flags uint32
	for tries := 0; ; tries++ {
		got, errno := e.enterCall(toSubmit, wait, flags)
		if errno == 0 {
			toSubmit -= uint32(got)
		}
		missing -= e.reap(batch)
		switch {
		case missing == 0:
			return nil
		case errno != 0 && errno != unix.EINTR && errno != unix.EAGAIN && errno != unix.EBUSY, tries == maxEnterTries:
			return e.breakdown(batch, toSubmit, missing, errno)
		}
		// Something is left: SQEs the kernel did not take (EAGAIN, EBUSY), or
		// completions that overflowed the queue; GETEVENTS flushes those. With
		// nothing left to submit, it waits for whatever is outstanding.
		flags = iouring.IORING_ENTER_FLAGS_GETEVENTS
		if toSubmit == 0 {
			wait = 1
		}
	}
}

// maxEnterTries bounds how often a batch is offered to a kernel that keeps
// answering EAGAIN or EBUSY. Each try also collects completions, so a kernel
// that makes progress needs far fewer.
const maxEnterTries = 1000

func (e *uring) enterCall(toSubmit, minComplete, flags uint32) (int, syscall.Errno) {
	if minComplete > 0 { // may block: tell the scheduler
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(e.fd), uintptr(toSubmit), uintptr(minComplete), uintptr(flags), 0, 0)
		return int(n), errno
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(e.fd), uintptr(toSubmit), 0, uintptr(flags), 0, 0)
	return int(n), errno
}

// breakdown reports a ring that does not work any more. The SQEs it did not take,
// the last toSubmit of the batch, are left for another engine. Of those it took
// without an answer nobody knows whether they were run: doing them again could
// lose or repeat bytes, so they fail.
func (e *uring) breakdown(batch []*Op, toSubmit, missing uint32, errno syscall.Errno) error {
	left := toSubmit
	for _, o := range slices.Backward(batch) {
		switch {
		case o.Done:
		case left > 0:
			left--
			e.untake(o)
		default:
			e.untake(o)
			o.Finish(-int32(unix.EIO))
		}
	}
	return fmt.Errorf("reactor: io_uring_enter: %w (%d operations not submitted, %d not completed)", errno, toSubmit, missing-toSubmit)
}

// untake gives back the shared buffer that fill took for o.
func (e *uring) untake(o *Op) {
	if o.Buffer != NoBuffer {
		e.bufs.Recycle(uint16(o.Buffer))
		o.Buffer = NoBuffer
	}
}

// reap handles all completions there are and returns how many belonged to the
// current batch.
func (e *uring) reap(batch []*Op) (n uint32) {
	head, tail := *e.cqHead, atomic.LoadUint32(e.cqTail)
	for ; head != tail; head++ {
		cqe := &e.cqes[head&e.cqMask]
		ud := cqe.UserData()
		if uint32(ud>>32) != e.gen || int(uint32(ud)) >= len(batch) {
			e.stats.Stale++
			continue
		}
		e.answer(batch[uint32(ud)], cqe.Result(), cqe.Flags())
		n++
	}
	atomic.StoreUint32(e.cqHead, head)
	return n
}

// answer records a completion in its op.
func (e *uring) answer(o *Op, res int32, flags uint32) {
	if res < 0 && refused(res) && e.demote(o, res) {
		return
	}
	switch {
	case flags&ioringCQEFBuffer != 0:
		bid := uint16(flags >> ioringCQEBufferShift)
		e.bufs.Claim(bid)
		if res > 0 {
			o.Buffer = int32(bid)
		} else { // the kernel took a buffer, then found nothing to put in
			e.bufs.Recycle(bid)
		}
	case res <= 0:
		e.untake(o)
	}
	switch {
	case o.Kind == Recv && o.Pooled && res == -int32(unix.ENOBUFS):
		e.bufs.Exhausted()
	case o.Kind == Recv && res > 0:
		room := len(o.Buf)
		if o.Buffer != NoBuffer {
			room = e.bufs.BufferSize()
		}
		o.Drained = flags&ioringCQEFSockNonempty == 0 && (e.nonempty || int(res) < room)
	}
	o.Finish(res)
}

// refused reports whether res may mean that the ring does not do what it was
// asked, a matter not of the socket but of the kernel or a restriction of it.
func refused(res int32) bool {
	switch syscall.Errno(-res) {
	case unix.EINVAL, unix.EOPNOTSUPP, unix.ENOSYS, unix.EPERM, unix.EACCES:
		return true
	}
	return false
}

// demote runs o, which the ring answered with res, as a system call instead. If
// that does not say the same, the ring is not asked for such ops again. It
// reports whether o is done.
func (e *uring) demote(o *Op, res int32) (done bool) {
	if o.Kind == Recv && o.Pooled && e.provided {
		if sysPeek(o.FD, e.peeked[:]) == res {
			return false
		}
		e.provided = false
		// The kernel keeps its registration until the ring is closed, but is not asked
		// for a buffer again. Unmapping memory of ours does not fail.
		_ = e.bufs.Reclaim()
		e.gaveUp(featureProvided, syscall.Errno(-res))
		e.sys.run(o)
		return true
	}
	e.untake(o)
	e.sys.run(o)
	if o.Result != res {
		e.ops &^= 1 << o.Kind
		e.gaveUp(forms[o.Kind].feature, syscall.Errno(-res))
		if o.Kind == Recv && e.provided {
			e.provided = false
			_ = e.bufs.Reclaim() // as above
		}
	}
	return true
}

// gaveUp counts and reports a feature that is not used any more.
func (e *uring) gaveUp(f feature, err error) {
	e.stats.Demoted++
	if e.report != nil {
		e.report("io_uring feature given up: "+features[f].Name, err)
	}
}

// fill describes o in sqe. It reports false for an op that it ran on the spot.
func (e *uring) fill(sqe *iouring.SubmissionQueueEntry64, o *Op) bool {
	if !e.ops.has(o.Kind) {
		e.sys.run(o)
		return false
	}
	sqe.Reset()
	return forms[o.Kind].fill(e, sqe, o)
}

// ioUringProbe is struct io_uring_probe with room for every opcode.
type ioUringProbe struct {
	lastOp, opsLen uint8
	_              uint16
	_              [3]uint32
	ops            [256]struct {
		op, _ uint8
		flags uint16
		_     uint32
	}
}

// ioUringOpSupported is IO_URING_OP_SUPPORTED, Linux 5.6.
const ioUringOpSupported = 1 << 0

// registerProbe asks the kernel which opcodes it knows (IORING_REGISTER_PROBE).
func registerProbe(ringFD int) (map[uint8]bool, error) {
	p := new(ioUringProbe)
	if err := iouring.IOURingRegister(ringFD, iouring.IORING_REGISTER_PROBE, unsafe.Pointer(p), uint32(len(p.ops))); err != nil {
		return nil, err
	}
	known := make(map[uint8]bool)
	for _, o := range p.ops[:p.opsLen] {
		known[o.op] = o.flags&ioUringOpSupported != 0
	}
	return known, nil
}

func bufAddr(p []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))) }
