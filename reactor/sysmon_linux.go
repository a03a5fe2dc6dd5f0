package reactor

import (
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
// that computes for a second has its P to itself for that second, and so has, for a
// minute, one that a peer keeps supplied with data. With one P, all other connections
// stand still.
//
// To make such a system call each time a reactor wakes costs a quarter more CPU time
// where there is little to do. But sysmon sleeps no longer than until the next timer is
// due. So there is a timer while there is work, and the call is made when the timer has
// run out.
type sysmonKeeper struct {
	armed  atomic.Bool // the timer is set
	worked atomic.Bool // since the timer was set

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

// begin wakes sysmon and sets the timer.
func (k *sysmonKeeper) begin() {
	k.worked.Store(false)
	_, _, _ = syscall.Syscall(unix.SYS_GETPID, 0, 0, 0) // which cannot fail
	if inBubble() {                                     // whose timers follow its own clock
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
