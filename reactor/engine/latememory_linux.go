package engine

import (
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel gives the memory of a closed ring back some time after close(2): 12 to 27
// ms later where RLIMIT_MEMLOCK is used up (Linux 6.18).
const (
	ringClosedLately = time.Second
	longestLateWait  = 64 * time.Millisecond
)

// ringClosed is when this process last closed a ring, on CLOCK_MONOTONIC.
var ringClosed atomic.Int64

// withLateMemory calls make again while it fails for want of memory that a ring of this
// process may be about to give back.
func withLateMemory(make func() error) error {
	err := make()
	for wait := time.Millisecond; errors.Is(err, unix.ENOMEM) && wait <= longestLateWait; wait *= 2 {
		if closed := time.Duration(ringClosed.Load()); closed == 0 || Clock()-closed > ringClosedLately {
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

// Clock reads CLOCK_MONOTONIC, which package time's monotonic readings are from, outside
// a synctest bubble.
func Clock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("reactor: clock_gettime: " + err.Error()) // Linux has had this clock since 2.6
	}
	return time.Duration(ts.Nano())
}
