package reactor

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// ErrClosed is returned by every method of a closed descriptor.
var ErrClosed = net.ErrClosed

// descriptor is what a connection and a listener share: a registered file
// descriptor and its orderly end.
//
// Everything that uses the descriptor number, be it a queued op or a call under
// way in another goroutine, holds it with acquire. Close marks the descriptor,
// waits until nobody holds it and only then closes it, so the number cannot be
// reused under anyone's hands.
type descriptor struct {
	r       *Reactor
	id      slotID
	sysfd   int32
	holders int32 // queued ops and calls under way
	mu      sync.Mutex
	quiet   chan struct{} // made by Close, closed when holders reaches 0
	closing bool
	watched bool // it is in the epoll set

	// blockingClose says that close(2) may block (SO_LINGER) and has to be called
	// as an ordinary system call. shared says that the descriptor has been
	// duplicated, so that closing it does not end its epoll registration.
	blockingClose bool
	shared        bool
}

func (d *descriptor) init(r *Reactor, sysfd int) { d.r, d.sysfd = r, int32(sysfd) }

// hold marks n users of the descriptor. d.mu is held and closing is false.
func (d *descriptor) hold(n int) { d.holders += int32(n) }

// unhold ends n uses. d.mu is held.
func (d *descriptor) unhold(n int) {
	d.holders -= int32(n)
	if d.holders == 0 && d.quiet != nil {
		close(d.quiet)
		d.quiet = nil
	}
}

// startClose marks the descriptor. It reports false if it is marked already.
// d.mu is held.
func (d *descriptor) startClose() bool {
	if d.closing {
		return false
	}
	d.closing = true
	if d.holders > 0 {
		d.quiet = make(chan struct{})
	}
	return true
}

// finishClose waits for the last holder, then closes the descriptor. It is
// called once, by the Close that startClose told true, with the value d.quiet
// had then. Its caller then reports the descriptor gone.
func (d *descriptor) finishClose(quiet <-chan struct{}) error {
	if quiet != nil {
		<-quiet
	}
	var err error
	if d.shared && d.watched {
		// The registration lives as long as any duplicate of the socket does.
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(d.r.epfd, unix.EPOLL_CTL_DEL, int(d.sysfd), nil))
	}
	// The slot goes first: no event of this socket is of interest any more.
	d.r.slots.leave(d.id)
	if d.blockingClose || !d.watched {
		return errjoin.Join(err, os.NewSyscallError("close", unix.Close(int(d.sysfd))))
	}
	if errno := d.r.runSolo(opClose, int(d.sysfd), 0); errno != 0 {
		err = errjoin.Join(err, os.NewSyscallError("close", errno))
	}
	return err
}

// solo is an op that belongs to no call of a descriptor: its shutdown, its close.
type solo struct {
	op   op
	done chan struct{} // room for one
}

// complete implements completer.
func (s *solo) complete(*op) (again bool) {
	s.done <- struct{}{}
	return false
}

// runSolo runs one op, in a batch with others, and returns its error.
func (r *Reactor) runSolo(kind opKind, sysfd int, how uint8) syscall.Errno {
	s := solos.Get().(*solo)
	s.op = op{how: how}
	s.op.init(s, kind, sysfd)
	r.submit(&s.op)
	<-s.done
	errno := s.op.errno()
	solos.Put(s)
	return errno
}

var solos = sync.Pool{New: func() any { return &solo{done: make(chan struct{}, 1)} }}

// Control calls f with the descriptor, which stays open meanwhile. f must not
// keep it, duplicate it or make Close block; what may do that goes through
// ControlShared. Its error is ErrClosed or f's.
func (d *descriptor) Control(f func(sysfd int) error) error { return d.control(false, f) }

// ControlShared is Control for an f that may do anything but close the
// descriptor.
func (d *descriptor) ControlShared(f func(sysfd int) error) error { return d.control(true, f) }

// SetBlockingClose says whether close(2) may block, see SO_LINGER in socket(7).
func (d *descriptor) SetBlockingClose(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.blockingClose = on || d.shared
}

func (d *descriptor) control(share bool, f func(sysfd int) error) error {
	d.mu.Lock()
	if d.closing {
		d.mu.Unlock()
		return ErrClosed
	}
	if share {
		d.shared, d.blockingClose = true, true
	}
	d.hold(1)
	d.mu.Unlock()
	err := f(int(d.sysfd))
	d.mu.Lock()
	d.unhold(1)
	d.mu.Unlock()
	return err
}
