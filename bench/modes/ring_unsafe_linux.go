package main

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"
)

type sqe = iouring.SubmissionQueueEntry64

// ring is one io_uring instance. It is used by one goroutine.
type ring struct {
	fd         int
	enterFD    int    // fd, or its index once it is registered
	enterFlags uint32 // of every io_uring_enter
	sqpoll     bool
	mem, smem  []byte // both rings (IORING_FEAT_SINGLE_MMAP), and the SQEs

	sqHead, sqTail, sqFlags *uint32
	sqMask                  uint32
	sqes                    []sqe
	tail                    uint32 // the next SQE to fill
	taken                   uint32 // the next SQE that the kernel takes; not used with SQPOLL

	cqHead, cqTail *uint32
	cqMask         uint32
	cqes           []iouring.CompletionQueueEvent16
}

// newRing sets up a ring with room for sqEntries SQEs and cqEntries CQEs. With
// IORING_SETUP_SQPOLL, sqIdle is how many milliseconds the kernel's thread polls
// for nothing before it sleeps.
func newRing(flags, sqEntries, cqEntries, sqIdle uint32) (*ring, error) {
	p := iouring.IOURingParams{
		Flags:        flags | iouring.IORING_SETUP_CQSIZE | iouring.IORING_SETUP_SUBMIT_ALL,
		CQEntries:    cqEntries,
		SQThreadIdle: sqIdle,
	}
	fd, err := iouring.IOURingSetup(uint(sqEntries), &p)
	if err != nil {
		return nil, refused("io_uring_setup", err)
	}
	r := &ring{fd: fd, enterFD: fd, sqpoll: flags&iouring.IORING_SETUP_SQPOLL != 0}
	if err := r.mapRings(&p); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// mapRings maps the rings the kernel described in p, see io_uring_setup(2).
func (r *ring) mapRings(p *iouring.IOURingParams) error {
	const want = iouring.IORING_FEAT_SINGLE_MMAP | iouring.IORING_FEAT_NODROP
	if p.Features&want != want {
		return refused("io_uring_setup: features", unix.EOPNOTSUPP)
	}
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	size := max(p.SQOffset.Array+p.SQEntries*4, p.CQOffset.Cqes+p.CQEntries*uint32(unsafe.Sizeof(iouring.CompletionQueueEvent16{})))
	var err error
	if r.mem, err = unix.Mmap(r.fd, int64(iouring.IORING_OFF_SQ_RING), int(size), prot, flags); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	if r.smem, err = unix.Mmap(r.fd, int64(iouring.IORING_OFF_SQES), int(p.SQEntries)*int(unsafe.Sizeof(sqe{})), prot, flags); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.mem[off])) }
	r.sqHead, r.sqTail, r.sqFlags = word(p.SQOffset.Head), word(p.SQOffset.Tail), word(p.SQOffset.Flags)
	r.sqMask = *word(p.SQOffset.RingMask)
	r.sqes = unsafe.Slice((*sqe)(unsafe.Pointer(&r.smem[0])), p.SQEntries)
	r.cqHead, r.cqTail = word(p.CQOffset.Head), word(p.CQOffset.Tail)
	r.cqMask = *word(p.CQOffset.RingMask)
	r.cqes = unsafe.Slice((*iouring.CompletionQueueEvent16)(unsafe.Pointer(&r.mem[p.CQOffset.Cqes])), p.CQEntries)
	// SQEs are used in ring order, so the indirection array never changes.
	for i, array := uint32(0), unsafe.Slice(word(p.SQOffset.Array), p.SQEntries); i < p.SQEntries; i++ {
		array[i] = i
	}
	return nil
}

func (r *ring) close() error {
	var errs []error
	for _, m := range [][]byte{r.mem, r.smem} {
		if m != nil {
			errs = append(errs, unix.Munmap(m))
		}
	}
	return errors.Join(append(errs, os.NewSyscallError("close", unix.Close(r.fd)))...)
}

// next returns an SQE to fill, zeroed. It goes to the kernel with the next enter.
func (r *ring) next() (*sqe, error) {
	for tries := 0; r.tail-atomic.LoadUint32(r.sqHead) == uint32(len(r.sqes)); tries++ {
		if tries == maxTries {
			return nil, errors.New("the kernel takes no SQEs")
		}
		var flags uint32
		if r.sqpoll {
			flags = iouring.IORING_ENTER_FLAGS_SQ_WAIT
		}
		if err := r.enter(0, flags); err != nil {
			return nil, err
		}
	}
	e := &r.sqes[r.tail&r.sqMask]
	r.tail++
	e.Reset()
	return e, nil
}

// maxTries bounds how often a call is repeated that made no progress.
const maxTries = 1000

// enter hands the filled SQEs to the kernel and waits for wait completions.
func (r *ring) enter(wait, flags uint32) error {
	atomic.StoreUint32(r.sqTail, r.tail)
	if r.sqpoll && atomic.LoadUint32(r.sqFlags)&iouring.IORING_SQ_NEED_WAKEUP != 0 {
		flags |= iouring.IORING_ENTER_FLAGS_SQ_WAKEUP
	}
	if wait > 0 {
		flags |= iouring.IORING_ENTER_FLAGS_GETEVENTS
	}
	if r.sqpoll && flags&^iouring.IORING_ENTER_FLAGS_GETEVENTS == 0 && (wait == 0 || r.ready()) {
		return nil // the kernel's thread does the rest
	}
	n, errno := r.enterCall(r.tail-r.taken, wait, flags|r.enterFlags)
	switch errno {
	case 0:
		r.taken += uint32(n)
		return nil
	case unix.EINTR, unix.EAGAIN, unix.EBUSY:
		return nil // the caller handles completions and comes again
	}
	return refused("io_uring_enter", errno)
}

func (r *ring) enterCall(toSubmit, wait, flags uint32) (int, syscall.Errno) {
	if wait > 0 || flags&iouring.IORING_ENTER_FLAGS_SQ_WAIT != 0 { // may block: tell the scheduler
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.enterFD), uintptr(toSubmit), uintptr(wait), uintptr(flags), 0, 0)
		return int(n), errno
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.enterFD), uintptr(toSubmit), 0, uintptr(flags), 0, 0)
	return int(n), errno
}

// ready reports whether there are completions to reap.
func (r *ring) ready() bool { return *r.cqHead != atomic.LoadUint32(r.cqTail) }

// completion is a copy of a CQE.
type completion struct {
	userData uint64
	res      int32
	flags    uint32
}

// reap calls f for each completion there is and returns their number.
func (r *ring) reap(f func(completion) error) (n int, err error) {
	head, tail := *r.cqHead, atomic.LoadUint32(r.cqTail)
	for ; head != tail && err == nil; head++ {
		e := &r.cqes[head&r.cqMask]
		err = f(completion{e.UserData(), e.Result(), e.Flags()})
		n++
	}
	atomic.StoreUint32(r.cqHead, head)
	return n, err
}

// address is p's for an SQE. p must not be Go memory that may be freed before the
// operation is over.
func address(p []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))) }
