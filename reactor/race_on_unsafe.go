//go:build linux && race

package reactor

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const raceBuild = true

// The race detector does not see what the kernel does with a buffer. Package
// syscall tells it in Read and Write, and publishes a happens-before edge from
// every write to every read after it. Operations on the ring go past that, so
// here the same is said by hand. A system call of no bytes has the edge of a
// full one and no other effect, and it is the very edge that package net's
// connections use, so netring and net can face each other.

// raceWrite is called before p is written.
func raceWrite(p []byte) {
	if len(p) > 0 {
		runtime.RaceReadRange(unsafe.Pointer(unsafe.SliceData(p)), len(p))
	}
	// The edge is published before the call, which is made to fail.
	if _, err := syscall.Write(-1, nil); err != syscall.EBADF {
		panic("reactor: a write to descriptor -1 was not refused")
	}
}

// raceRead is called after n bytes were read into p.
func raceRead(n int, p []byte) {
	if n = min(n, len(p)); n > 0 { // a leased buffer is not the caller's
		runtime.RaceWriteRange(unsafe.Pointer(unsafe.SliceData(p)), n)
	}
	if _, err := syscall.Read(racePipe, nil); err != nil {
		panic("reactor: a read of no bytes failed: " + err.Error())
	}
}

// racePipe is a descriptor that a read of no bytes always succeeds on. It is
// open for as long as the process lives, in race builds only.
var racePipe = func() int {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		panic("reactor: no pipe for the race detector: " + err.Error())
	}
	if err := unix.Close(p[1]); err != nil {
		panic("reactor: closing the race detector's pipe: " + err.Error())
	}
	return p[0]
}()
