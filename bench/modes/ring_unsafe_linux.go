package modes

import (
	"errors"
	"log"
	"sync/atomic"
	"syscall"
	"unsafe"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"
)

// What iouring-go's syscall package lacks, from linux/io_uring.h, with the kernel
// version that brought it.
const (
	ioringSetupSingleIssuer   = 1 << 12 // IORING_SETUP_SINGLE_ISSUER, Linux 6.0
	ioringSetupDeferTaskrun   = 1 << 13 // IORING_SETUP_DEFER_TASKRUN, Linux 6.1
	ioringEnterRegisteredRing = 1 << 4  // IORING_ENTER_REGISTERED_RING, Linux 5.18
	ioringRegisterRingFDs     = 20      // IORING_REGISTER_RING_FDS, Linux 5.18
	iosqeCQESkipSuccess       = 1 << 6  // IOSQE_CQE_SKIP_SUCCESS, Linux 5.17
	ioringFileIndexAlloc      = -1      // IORING_FILE_INDEX_ALLOC (~0U), Linux 5.19
	ioringRecvMultishot       = 1 << 1  // IORING_RECV_MULTISHOT, Linux 6.0
	ioringRecvsendFixedBuf    = 1 << 2  // IORING_RECVSEND_FIXED_BUF, Linux 6.0
	ioringCQEFBuffer          = 1 << 0  // IORING_CQE_F_BUFFER, Linux 5.7
	ioringCQEFMore            = 1 << 1  // IORING_CQE_F_MORE, Linux 5.13
	ioringCQEFNotif           = 1 << 3  // IORING_CQE_F_NOTIF, Linux 6.0
	ioringCQEBufferShift      = 16      // IORING_CQE_BUFFER_SHIFT, Linux 5.7
)

// Refused begins the error of a server that uses something the kernel refuses.
const Refused = "refused by the kernel: "

// check ends the process if err is not nil.
func check(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

// allowed ends the process if err is not nil, which means that the kernel has refused what.
func allowed(what string, err error) {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		what += ": " + unix.ErrnoName(errno)
	}
	check(Refused+what, err)
}

// done ends the process if a CQE's result says that the kernel refuses such operations. Other
// failures concern one operation only.
func done(what string, res int32) {
	switch errno := syscall.Errno(-res); errno {
	case unix.EINVAL, unix.EOPNOTSUPP, unix.ENOSYS, unix.EPERM, unix.EBADF, unix.EFAULT, unix.ENXIO:
		allowed(what, errno)
	}
}

type sqe = iouring.SubmissionQueueEntry64

// ring is an io_uring instance. One goroutine uses it. It is never closed.
type ring struct {
	fd         int
	enterFD    int    // fd, or its index once it is registered
	enterFlags uint32 // of every io_uring_enter
	sqpoll     bool

	sqHead, sqTail, sqFlags *uint32
	sqMask                  uint32
	sqes                    []sqe
	tail                    uint32 // the next SQE to fill
	taken                   uint32 // the next SQE that the kernel takes; unused with SQPOLL

	cqHead, cqTail *uint32
	cqMask         uint32
	cqes           []iouring.CompletionQueueEvent16
}

const (
	sqEntries    = 2048
	cqEntries    = 2 * sqEntries
	sqIdleMillis = 5 // SQPOLL's idle time: longer than between requests, but an idle server soon frees the CPU
)

// newRing sets up a ring and maps it; see io_uring_setup(2).
func newRing(flags uint32) *ring {
	flags |= iouring.IORING_SETUP_CQSIZE | iouring.IORING_SETUP_SUBMIT_ALL
	p := iouring.IOURingParams{Flags: flags, CQEntries: cqEntries, SQThreadIdle: sqIdleMillis}
	fd, err := iouring.IOURingSetup(sqEntries, &p)
	allowed("io_uring_setup", err)
	const want = iouring.IORING_FEAT_SINGLE_MMAP | iouring.IORING_FEAT_NODROP
	if p.Features&want != want {
		allowed("io_uring_setup: features", unix.EOPNOTSUPP)
	}
	const prot, mapFlags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	size := max(p.SQOffset.Array+p.SQEntries*4, p.CQOffset.Cqes+p.CQEntries*uint32(unsafe.Sizeof(iouring.CompletionQueueEvent16{})))
	mem, err := unix.Mmap(fd, int64(iouring.IORING_OFF_SQ_RING), int(size), prot, mapFlags)
	check("mmap", err)
	sqes, err := unix.Mmap(fd, int64(iouring.IORING_OFF_SQES), int(p.SQEntries)*int(unsafe.Sizeof(sqe{})), prot, mapFlags)
	check("mmap", err)
	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&mem[off])) }
	// The ring uses SQEs in order, so the indirection array never changes.
	for i, array := uint32(0), unsafe.Slice(word(p.SQOffset.Array), p.SQEntries); i < p.SQEntries; i++ {
		array[i] = i
	}
	return &ring{
		fd: fd, enterFD: fd, sqpoll: flags&iouring.IORING_SETUP_SQPOLL != 0,
		sqHead: word(p.SQOffset.Head), sqTail: word(p.SQOffset.Tail), sqFlags: word(p.SQOffset.Flags),
		sqMask: *word(p.SQOffset.RingMask), sqes: unsafe.Slice((*sqe)(unsafe.Pointer(&sqes[0])), p.SQEntries),
		cqHead: word(p.CQOffset.Head), cqTail: word(p.CQOffset.Tail),
		cqMask: *word(p.CQOffset.RingMask), cqes: unsafe.Slice((*iouring.CompletionQueueEvent16)(unsafe.Pointer(&mem[p.CQOffset.Cqes])), p.CQEntries),
	}
}

// maxTries bounds the repetitions of a call that makes no progress.
const maxTries = 1000

// next returns a zeroed SQE. The next enter submits it.
func (r *ring) next() *sqe {
	for tries := 0; r.tail-atomic.LoadUint32(r.sqHead) == uint32(len(r.sqes)); tries++ {
		if tries == maxTries {
			log.Fatalf("the kernel took no SQE in %d calls of io_uring_enter", maxTries)
		}
		var flags uint32
		if r.sqpoll {
			flags = iouring.IORING_ENTER_FLAGS_SQ_WAIT
		}
		r.enter(0, flags)
	}
	e := &r.sqes[r.tail&r.sqMask]
	r.tail++
	e.Reset()
	return e
}

// op is next with an operation on p. If p is Go memory, the caller keeps it alive until the
// operation completes.
func (r *ring) op(op uint8, fd int32, p []byte, userData uint64) *sqe {
	return r.opAt(op, fd, p, 0, userData)
}

// opAt is op with a value for the SQE's offset.
func (r *ring) opAt(op uint8, fd int32, p []byte, offset, userData uint64) *sqe {
	e := r.next()
	e.PrepOperation(op, fd, uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))), uint32(len(p)), offset)
	e.SetUserData(userData)
	return e
}

// enter hands the filled SQEs to the kernel and waits for wait completions.
func (r *ring) enter(wait, flags uint32) {
	atomic.StoreUint32(r.sqTail, r.tail)
	if r.sqpoll && atomic.LoadUint32(r.sqFlags)&iouring.IORING_SQ_NEED_WAKEUP != 0 {
		flags |= iouring.IORING_ENTER_FLAGS_SQ_WAKEUP
	}
	if wait > 0 {
		flags |= iouring.IORING_ENTER_FLAGS_GETEVENTS
	}
	if r.sqpoll && flags&^iouring.IORING_ENTER_FLAGS_GETEVENTS == 0 && (wait == 0 || r.ready()) {
		return // the thread of SQPOLL submits
	}
	call := unix.RawSyscall6
	if wait > 0 || flags&iouring.IORING_ENTER_FLAGS_SQ_WAIT != 0 { // may block: inform the scheduler
		call = unix.Syscall6
	}
	n, _, errno := call(unix.SYS_IO_URING_ENTER, uintptr(r.enterFD), uintptr(r.tail-r.taken), uintptr(wait), uintptr(flags|r.enterFlags), 0, 0)
	switch errno {
	case 0:
		r.taken += uint32(n)
	case unix.EINTR, unix.EAGAIN, unix.EBUSY: // the caller handles completions and repeats the call
	default:
		allowed("io_uring_enter", errno)
	}
}

// ready reports whether there are completions to reap.
func (r *ring) ready() bool { return *r.cqHead != atomic.LoadUint32(r.cqTail) }

// completion is a copy of a CQE.
type completion struct {
	kind  uint8  // of operation: the low byte of user_data
	slot  uint32 // of the connection: the rest of user_data
	res   int32
	flags uint32
}

func userData(kind uint8, slot uint32) uint64 { return uint64(slot)<<8 | uint64(kind) }

// reap calls f for each completion and returns their number.
func (r *ring) reap(f func(completion)) (n int) {
	head, tail := *r.cqHead, atomic.LoadUint32(r.cqTail)
	for ; head != tail; head++ {
		e := &r.cqes[head&r.cqMask]
		f(completion{uint8(e.UserData()), uint32(e.UserData() >> 8), e.Result(), e.Flags()})
		n++
	}
	atomic.StoreUint32(r.cqHead, head)
	return n
}

// registerFiles registers an empty table for n descriptors.
func (r *ring) registerFiles(n int) {
	files := make([]int32, n)
	for i := range files {
		files[i] = -1
	}
	allowed("IORING_REGISTER_FILES", iouring.IOURingRegister(r.fd, iouring.IORING_REGISTER_FILES, unsafe.Pointer(&files[0]), uint32(n)))
}

// registerBuffers registers two buffers, whose buf_index is 0 and 1.
func (r *ring) registerBuffers(a, b []byte) {
	vec := []unix.Iovec{{Base: &a[0]}, {Base: &b[0]}}
	vec[0].SetLen(len(a))
	vec[1].SetLen(len(b))
	allowed("IORING_REGISTER_BUFFERS", iouring.IOURingRegister(r.fd, iouring.IORING_REGISTER_BUFFERS, unsafe.Pointer(&vec[0]), uint32(len(vec))))
}

// registerRingFD registers the ring's own descriptor with the calling thread, which saves
// looking it up in io_uring_enter.
func (r *ring) registerRingFD() {
	u := struct { // io_uring_rsrc_update
		offset, resv uint32
		data         uint64
	}{offset: ^uint32(0), data: uint64(r.fd)} // the kernel chooses the offset
	allowed("IORING_REGISTER_RING_FDS", iouring.IOURingRegister(r.fd, ioringRegisterRingFDs, unsafe.Pointer(&u), 1))
	r.enterFD, r.enterFlags = int(u.offset), ioringEnterRegisteredRing
}

// anonymous maps n bytes outside the Go heap: the kernel may keep pointers to them.
func anonymous(n int) []byte {
	p, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	check("mmap", err)
	return p
}
