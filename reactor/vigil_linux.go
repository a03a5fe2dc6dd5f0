package reactor

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// vigil keeps the Go runtime's monitor thread at work while goroutines work that a
// reactor has woken.
//
// The monitor preempts goroutines that run for more than 10 ms, and looks at the
// network when no P has been idle for as long. When all is quiet it goes to sleep,
// and what wakes it is a goroutine that comes out of a system call (exitsyscall in
// the runtime's proc.go), as package net's reads do. The calls here are raw and wake
// nobody. A goroutine that then computed for a second had the P to itself for that
// second, and one that a peer kept supplied with data had it for a minute; with one
// P, all other connections stood still.
//
// To make such a call each time a reactor wakes would do, and cost a quarter more CPU
// time where there is little to do (see sysRecvGated). But the monitor does not sleep
// for longer than until the next timer is due. So there is a timer while there is
// work, and the call is made when that has run out.
type vigil struct {
	armed  atomic.Bool // the timer is set
	worked atomic.Bool // since the timer was set

	mu    sync.Mutex
	timer *time.Timer // nil: nothing has worked yet
}

// vigilance is how long the monitor may sleep while there is work. It is the time
// after which it preempts a goroutine, too.
const vigilance = 10 * time.Millisecond

// monitor is the process's, as the thread it is about.
var monitor vigil

// keep is called by a watcher that has been asleep. Anything may be woken next.
func (v *vigil) keep() {
	if !v.worked.Load() {
		v.worked.Store(true)
	}
	if !v.armed.Load() && v.armed.CompareAndSwap(false, true) {
		v.begin()
	}
}

// begin wakes the monitor and sets the timer.
func (v *vigil) begin() {
	v.worked.Store(false)
	_, _, _ = syscall.Syscall(unix.SYS_GETPID, 0, 0, 0) // which cannot fail
	if inBubble() {                                     // whose timers follow its own clock
		v.armed.Store(false)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.timer == nil {
		v.timer = time.AfterFunc(vigilance, v.fire)
	} else {
		v.timer.Reset(vigilance)
	}
}

// fire is what the timer runs.
func (v *vigil) fire() {
	if v.worked.Swap(false) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.timer.Reset(vigilance)
		return
	}
	v.armed.Store(false)
	// A keep that found it armed just before relies on this.
	if v.worked.Load() && v.armed.CompareAndSwap(false, true) {
		v.begin()
	}
}
