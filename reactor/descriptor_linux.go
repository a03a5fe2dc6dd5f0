package reactor

import (
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor/engine"
)

// ErrClosed is returned by every method of a closed descriptor.
var ErrClosed = net.ErrClosed

// descriptor is what a connection and a listener share: a registered file
// descriptor and its orderly end.
//
// Everything that uses the descriptor number, be it a queued op or a call under
// way in another goroutine, holds it. Close marks the descriptor, waits until nobody
// holds it and only then closes it, so the number cannot be reused under anyone's
// hands.
type descriptor struct {
	r          *Reactor
	id         slotID
	sysfd      int32
	holders    int32 // queued ops and calls under way
	mu         sync.Mutex
	closing    bool
	registered bool // it is in the reactor's pollSet

	// Close waits for the last holder: awaited says that it sleeps, or is about to, and
	// wants quiet put.
	awaited bool
	quiet   token

	// blockingClose says that close(2) may block (SO_LINGER) and has to be called
	// as an ordinary system call. shared says that the descriptor has been
	// duplicated, so that closing it does not end its epoll registration.
	blockingClose bool
	shared        bool
}

func (d *descriptor) init(r *Reactor, sysfd int) { d.r, d.sysfd = r, int32(sysfd) }

// enter gives h, whose descriptor d is, a slot. From here on, the reactor's Close may
// close h; d.mu, which is held, makes it wait.
func (d *descriptor) enter(h eventHandler) (err error) {
	d.id, err = d.r.poll.slots.enter(h)
	d.closing = err != nil
	return err
}

// register has the reactor told of the descriptor's events, if it is not yet. d.mu is
// held, and d has a slot.
func (d *descriptor) register(events uint32) error {
	if d.registered {
		return nil
	}
	if err := d.r.poll.register(d.sysfd, events, d.id); err != nil {
		return err
	}
	d.registered = true
	return nil
}

// hold marks n users of the descriptor. d.mu is held and closing is false.
func (d *descriptor) hold(n int) { d.holders += int32(n) }

// unhold ends n uses. d.mu is held.
func (d *descriptor) unhold(n int) {
	d.holders -= int32(n)
	if d.holders == 0 {
		d.wakeClose()
	}
}

// acquire holds the descriptor for a call that uses its number, which release ends.
// share is set for a call that may duplicate the descriptor or change how it closes. Its
// error is ErrClosed.
func (d *descriptor) acquire(share bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing {
		return ErrClosed
	}
	if share {
		d.share()
	}
	d.hold(1)
	return nil
}

// share says that the descriptor may be duplicated from now on. d.mu is held.
func (d *descriptor) share() { d.shared, d.blockingClose = true, true }

func (d *descriptor) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unhold(1)
}

// startClose marks the descriptor. It reports false if it is marked already.
// d.mu is held.
func (d *descriptor) startClose() bool {
	first := !d.closing
	d.closing = true
	return first
}

// wakeClose has the Close that waits look again. d.mu is held.
func (d *descriptor) wakeClose() {
	if d.awaited {
		d.awaited = false
		d.quiet.give()
	}
}

// awaitQuiet waits until nobody holds the descriptor, or until giveUp, if it is not
// nil, reports true. It is for the one Close that startClose told true.
func (d *descriptor) awaitQuiet(giveUp func() bool) (quiet bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.holders > 0 {
		if giveUp != nil && giveUp() {
			return false
		}
		d.awaited = true
		d.mu.Unlock()
		d.quiet.wait()
		d.mu.Lock()
	}
	return true
}

// finishClose closes the descriptor, which nobody holds any more. It is called
// once. Its caller then reports the descriptor gone.
func (d *descriptor) finishClose() error {
	var err error
	if d.shared && d.registered {
		// The registration lives as long as any duplicate of the socket does.
		err = d.r.poll.unregister(d.sysfd)
	}
	// The slot goes first: no event of this socket is of interest any more.
	d.r.poll.slots.leave(d.id)
	if d.blockingClose {
		return errjoin.Join(err, os.NewSyscallError("close", unix.Close(int(d.sysfd))))
	}
	// Not in a batch: its caller would wait for the loop's next turn, behind everybody
	// else's computation.
	if errno := engine.Close(d.sysfd); errno != 0 {
		err = errjoin.Join(err, os.NewSyscallError("close", errno))
	}
	return err
}

// closeMayWait reports whether Close may take long: somebody else is at work with the
// descriptor, or close(2) lingers.
func (d *descriptor) closeMayWait() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holders > 0 || d.blockingClose
}

// SetLinger sets SO_LINGER, see socket(7): sec < 0 turns it off. Its errors are
// ErrClosed and syscall.Errno.
func (d *descriptor) SetLinger(sec int) error {
	l := unix.Linger{Linger: int32(max(sec, 0))}
	if sec >= 0 {
		l.Onoff = 1
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing {
		return ErrClosed
	}
	if err := unix.SetsockoptLinger(int(d.sysfd), unix.SOL_SOCKET, unix.SO_LINGER, &l); err != nil {
		return err
	}
	d.blockingClose = sec > 0 || d.shared
	return nil
}

// Control calls f with the descriptor, which stays open meanwhile. f must not
// keep it, duplicate it or make Close block; what may do that goes through
// ControlShared. Its error is ErrClosed or f's.
func (d *descriptor) Control(f func(sysfd int) error) error { return d.control(false, f) }

// ControlShared is Control for an f that may do anything but close the
// descriptor.
func (d *descriptor) ControlShared(f func(sysfd int) error) error { return d.control(true, f) }

func (d *descriptor) control(share bool, f func(sysfd int) error) error {
	if err := d.acquire(share); err != nil {
		return err
	}
	defer d.release() // f may panic or end its goroutine
	return f(int(d.sysfd))
}
