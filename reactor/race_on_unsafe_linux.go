//go:build race

package reactor

import (
	"os"
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

// raceEnd is a descriptor that a read of no bytes always succeeds on, for as long as
// a reactor lives.
type raceEnd struct{ fd int }

func (e *raceEnd) open() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	e.fd = p[0]
	return os.NewSyscallError("close", unix.Close(p[1]))
}

func (e *raceEnd) close() error { return os.NewSyscallError("close", unix.Close(e.fd)) }

// read is called after n bytes were read into p.
func (e *raceEnd) read(n int, p []byte) {
	if n = min(n, len(p)); n > 0 { // a leased buffer is not the caller's
		runtime.RaceWriteRange(unsafe.Pointer(unsafe.SliceData(p)), n)
	}
	// It fails only if the reactor has gone meanwhile: there is nothing to do about it.
	_, _ = syscall.Read(e.fd, nil)
}
