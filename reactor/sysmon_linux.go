package reactor

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sysmonKeeper keeps the Go runtime's monitor thread, sysmon, at work while goroutines
// work that a reactor has woken.
//
// Sysmon preempts goroutines that run for more than 10 ms, and looks at the network when
// no P has been idle for as long. When all is quiet it goes to sleep. A goroutine that
// comes out of a system call wakes it (exitsyscall in the runtime's proc.go), as package
// net's reads do. The calls here are raw and wake nobody. Without the keeper, a goroutine
// that computes for a second has its P to itself for that second. A goroutine that a peer
// keeps supplied with data has its P for a minute. With one P, all other connections
// stand still.
//
// To make such a system call each time a reactor wakes costs a quarter more CPU time
// where there is little to do. But sysmon sleeps no longer than until the next timer is
// due. So there is a timer while there is work, and the call is made when the timer has
// run out (keep).
//
// One case does need the call each time (wake): a server that is idle but for one request
// and starts a goroutine for it, as net/http does. The thread woken for that goroutine
// starts sooner while sysmon runs, because sysmon's short sleeps keep its CPU from idling.
// This is what package net gets from its reads. docs/performance.md has the figures.
type sysmonKeeper struct {
	armed  atomic.Bool // the timer is set
	worked atomic.Bool // since the timer was set
	manyPs atomic.Bool // there is more than one P

	mu    sync.Mutex
	timer *time.Timer // nil: nothing has worked yet
}

// sysmon is the process's, like the thread.
var sysmon sysmonKeeper

// keep is called by a watcher that has been asleep. Anything may be woken next.
func (k *sysmonKeeper) keep() {
	if !k.worked.Load() {
		k.worked.Store(true)
	}
	if !k.armed.Load() && k.armed.CompareAndSwap(false, true) {
		k.begin()
	}
}

// wake wakes sysmon now, where that makes another thread start sooner: with one P there
// is no other thread.
func (k *sysmonKeeper) wake() {
	if k.manyPs.Load() {
		enterSyscall()
	}
}

// enterSyscall makes a system call that wakes sysmon, if that sleeps.
func enterSyscall() { _, _, _ = syscall.Syscall(unix.SYS_GETPID, 0, 0, 0) } // which cannot fail

// begin wakes sysmon and sets the timer.
func (k *sysmonKeeper) begin() {
	k.worked.Store(false)
	k.manyPs.Store(runtime.GOMAXPROCS(0) > 1)
	enterSyscall()
	if inBubble() { // whose timers follow its own clock
		k.armed.Store(false)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer == nil {
		k.timer = time.AfterFunc(sysmonPeriod, k.fire)
	} else {
		k.timer.Reset(sysmonPeriod)
	}
}

// fire is what the timer runs.
func (k *sysmonKeeper) fire() {
	k.manyPs.Store(runtime.GOMAXPROCS(0) > 1)
	if k.worked.Swap(false) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.timer.Reset(sysmonPeriod)
		return
	}
	k.armed.Store(false)
	// A keep that found it armed just before relies on this.
	if k.worked.Load() && k.armed.CompareAndSwap(false, true) {
		k.begin()
	}
}
