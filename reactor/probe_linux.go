package reactor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/errjoin"
)

// tiers is what a kernel's io_uring can do for the uring engine, beyond what it
// cannot do without.
type tiers struct {
	submitAll bool  // IORING_SETUP_SUBMIT_ALL
	provided  bool  // the kernel chooses the buffer of a small read
	nonempty  bool  // IORING_CQE_F_SOCK_NONEMPTY
	ops       opSet // the kinds that the ring runs without leaving them armed
}

// opSet is a set of op kinds.
type opSet uint16

func (s opSet) has(k opKind) bool { return s&(1<<k) != 0 }

// Unavailable is why the uring engine cannot be used. Its text says what can be
// done about it.
type Unavailable struct{ Err error }

func (u *Unavailable) Unwrap() error { return u.Err }

func (u *Unavailable) Error() string {
	s := "io_uring is unavailable: " + u.Err.Error()
	if r := u.remedy(); r != "" {
		s += " (" + r + ")"
	}
	return s
}

// remedy says what usually is behind the error and how to change it.
func (u *Unavailable) remedy() string {
	switch {
	case errors.Is(u.Err, unix.EPERM) || errors.Is(u.Err, unix.EACCES):
		switch setting := Sysctl("io_uring_disabled"); setting {
		case "1":
			return "kernel.io_uring_disabled is 1: set it to 0, or run as a member of the group kernel.io_uring_group"
		case "2":
			return "kernel.io_uring_disabled is 2: set it to 0"
		}
		return "a seccomp profile or a security module forbids it: admit io_uring_setup, io_uring_enter and io_uring_register, see docs/containers.md"
	case errors.Is(u.Err, unix.ENOSYS):
		return "the kernel was built without it or is older than Linux 5.6, or a sandbox hides it"
	case errors.Is(u.Err, unix.ENOMEM):
		return "each reactor's ring locks 8 KiB or more, which Linux before 5.12 and since 6.14 counts against RLIMIT_MEMLOCK" + memlock() + ": raise that limit, see docs/containers.md"
	case errors.Is(u.Err, unix.EMFILE), errors.Is(u.Err, unix.ENFILE):
		return "the limit of open files is reached: raise RLIMIT_NOFILE"
	case errors.Is(u.Err, errors.ErrUnsupported):
		return "it needs Linux 5.6"
	}
	return ""
}

// memlock says what the limit is.
func memlock() string {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &l) != nil || l.Cur == unix.RLIM_INFINITY {
		return ""
	}
	return fmt.Sprintf(", now %d KiB for all processes of the user", l.Cur>>10)
}

// ringClosed is when this process last closed a ring, on the clock of monotonic.
var ringClosed atomic.Int64

// The memory of a closed ring is given back some time after close(2): 12 to 27 ms later
// where RLIMIT_MEMLOCK was used up (Linux 6.18).
const (
	ringClosedLately = time.Second
	longestLateWait  = 64 * time.Millisecond
)

// withLateMemory calls make again while it fails for want of memory that a ring of this
// process may be about to give back.
func withLateMemory(make func() error) error {
	err := make()
	for wait := time.Millisecond; errors.Is(err, unix.ENOMEM) && wait <= longestLateWait; wait *= 2 {
		closed := time.Duration(ringClosed.Load())
		if closed == 0 || monotonic()-closed > ringClosedLately {
			break
		}
		// Not time.Sleep, which follows a synctest bubble's clock. An interruption does
		// no harm.
		ts := unix.NsecToTimespec(int64(wait))
		_ = unix.Nanosleep(&ts, nil)
		err = make()
	}
	return err
}

// Sysctl reads one of the kernel's settings, "" where there is none.
func Sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/kernel/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// probed is the outcome of a probe that was conclusive: the process keeps it.
type probed struct {
	tiers
	features []Feature
	err      error
}

var (
	probeMu sync.Mutex
	cached  atomic.Pointer[probed]
)

// probe finds out, once, what io_uring can do here. The error says why it cannot
// be used at all.
func probe() (tiers, error) {
	p := probeAll()
	return p.tiers, p.err
}

// Probe reports what the uring engine uses of io_uring and whether it is there,
// and, as an *Unavailable, why the engine cannot be used at all.
func Probe() ([]Feature, error) {
	p := probeAll()
	if p.err != nil {
		return p.features, &Unavailable{p.err}
	}
	return p.features, nil
}

func probeAll() *probed {
	if p := cached.Load(); p != nil {
		return p
	}
	probeMu.Lock()
	defer probeMu.Unlock()
	if p := cached.Load(); p != nil {
		return p
	}
	var p *probed
	_ = withLateMemory(func() error { // whose error is p.err
		p = runProbe()
		return p.err
	})
	if conclusive(p.err) {
		cached.Store(p)
	}
	return p
}

// conclusive reports whether a later probe would end with err, too. What the kernel
// lacks and what a sandbox forbids stays so. Everything else may pass: a lack of
// memory or descriptors, and whatever nobody has thought of.
func conclusive(err error) bool {
	if err == nil {
		return true
	}
	for _, errno := range []error{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL, errors.ErrUnsupported} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// runProbe tries everything on a throw-away ring.
func runProbe() *probed {
	p := &probed{features: []Feature{
		{Name: "ring", Since: "5.5", Without: "the syscall engine runs the batches"},
		{Name: "RECV and SEND", Since: "5.6", Without: "the syscall engine runs the batches"},
		{Name: "SENDMSG", Since: "5.3", Without: "Conn.Writev is a system call each"},
		{Name: "ACCEPT without waiting", Since: "6.10", Without: "an accept is a system call each"},
		{Name: "SUBMIT_ALL", Since: "5.18", Without: "an operation that the kernel finds malformed costs its batch a second submission"},
		{Name: "provided-buffer ring", Since: "5.19", Without: "netring chooses the buffers of small reads itself"},
		{Name: "CQE_F_SOCK_NONEMPTY", Since: "5.19", Without: "a read that fills its buffer is followed by one that may find nothing"},
	}}
	const (
		ring = iota
		recvSend
		sendmsg
		accept
		submitAll
		provided
		nonempty
	)
	found := func(feature int, err error) bool {
		f := &p.features[feature]
		if f.Supported = err == nil; err != nil {
			f.Reason = err.Error()
		}
		return err == nil
	}
	every := tiers{submitAll: true, ops: ^opSet(0)}
	e, err := newURing(8, nil, every)
	found(submitAll, err)
	if errors.Is(err, unix.EINVAL) {
		every.submitAll = false
		e, err = newURing(8, nil, every)
	}
	if !found(ring, err) {
		p.err = err
		p.giveReason(err)
		return p
	}
	t, err := newTrial(e)
	if err != nil {
		p.err = errjoin.Join(err, e.close())
		return p
	}
	p.submitAll = every.submitAll
	if p.err = t.recvSend(); found(recvSend, p.err) {
		p.ops |= 1<<opRecv | 1<<opSend
	}
	if found(sendmsg, t.sendmsg()) {
		p.ops |= 1 << opSendv
	}
	if found(accept, t.accept()) {
		p.ops |= 1 << opAccept
	}
	p.nonempty = found(nonempty, t.nonempty())
	p.provided = found(provided, t.provided())
	p.err = errjoin.Join(p.err, t.end())
	return p
}

// giveReason fills in err for features that were not tried.
func (p *probed) giveReason(err error) {
	for i := range p.features {
		if f := &p.features[i]; !f.Supported && f.Reason == "" {
			f.Reason = err.Error()
		}
	}
}

// trial is a ring to try things on, with two connected sockets and one that
// listens.
type trial struct {
	e        *uring
	a, b     int
	listener int
	opcodes  map[uint8]bool // nil: the kernel does not tell
}

// trialBuf is what trial operations receive into. It is global, so that one that
// a kernel leaves armed harms nobody.
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
	return errjoin.Join(closeAll(t.a, t.b, t.listener), t.e.close())
}

func closeAll(fds ...int) (err error) {
	for _, fd := range fds {
		err = errjoin.Join(err, os.NewSyscallError("close", unix.Close(fd)))
	}
	return err
}

// errArmed says that an operation was not answered within its submission.
var errArmed = fmt.Errorf("the kernel leaves the operation armed instead of answering EAGAIN: %w", errors.ErrUnsupported)

// run submits o and returns what the kernel answers at once.
func (t *trial) run(opcode uint8, o *op) (res int32, flags uint32, err error) {
	if t.opcodes != nil && !t.opcodes[opcode] {
		return 0, 0, fmt.Errorf("opcode %d: %w", opcode, errors.ErrUnsupported)
	}
	e := t.e
	if !e.fill(&e.sqes[*e.sqTail&e.sqMask], o) {
		return o.res, 0, nil
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
func (t *trial) expect(opcode uint8, o *op, want int32) error {
	res, _, err := t.run(opcode, o)
	if err == nil && res != want {
		err = fmt.Errorf("the answer is %v, want %v: %w", outcome(res), outcome(want), errors.ErrUnsupported)
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

func trialOp(kind opKind, fd int) *op {
	o := new(op)
	o.init(nil, kind, fd)
	return o
}

func (t *trial) recvSend() error {
	recv, send := trialOp(opRecv, t.a), trialOp(opSend, t.b)
	recv.buf, send.buf = trialBuf[:1], []byte("x")
	if err := t.expect(iouring.IORING_OP_RECV, recv, -int32(unix.EAGAIN)); err != nil {
		return fmt.Errorf("RECV: %w", err)
	}
	if err := t.expect(iouring.IORING_OP_SEND, send, 1); err != nil {
		return fmt.Errorf("SEND: %w", err)
	}
	if err := t.expect(iouring.IORING_OP_RECV, recv, 1); err != nil {
		return fmt.Errorf("RECV: %w", err)
	}
	return nil
}

func (t *trial) sendmsg() error {
	v := iovecs{left: [][]byte{[]byte("x")}}
	v.load()
	send := trialOp(opSendv, t.b)
	send.msg = &v.msg
	err := t.expect(iouring.IORING_OP_SENDMSG, send, 1)
	return errjoin.Join(err, t.drain())
}

func (t *trial) accept() error {
	o := trialOp(opAccept, t.listener)
	o.sa = new(rawSockaddr)
	return t.expect(iouring.IORING_OP_ACCEPT, o, -int32(unix.EAGAIN))
}

// nonempty receives one of two bytes.
func (t *trial) nonempty() error {
	if _, err := unix.Write(t.b, []byte("xx")); err != nil {
		return os.NewSyscallError("write", err)
	}
	o := trialOp(opRecv, t.a)
	o.buf = trialBuf[:1]
	res, flags, err := t.run(iouring.IORING_OP_RECV, o)
	switch {
	case err != nil:
	case res != 1:
		err = fmt.Errorf("RECV: the answer is %v, want 1", outcome(res))
	case flags&ioringCQEFSockNonempty == 0:
		err = fmt.Errorf("the flag is not set: %w", errors.ErrUnsupported)
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
	t.e.tiers.provided = true
	o := trialOp(opRecv, t.a)
	o.pooled = true
	res, flags, err := t.run(iouring.IORING_OP_RECV, o)
	t.e.tiers.provided = false
	if err == nil && (res != 1 || flags&ioringCQEFBuffer == 0) {
		err = fmt.Errorf("the answer is %v with flags %#x, want 1 and a buffer", outcome(res), flags)
	}
	return errjoin.Join(err, t.drain())
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
