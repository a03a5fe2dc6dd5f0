package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// maxCPUs is how many CPUs a unix.CPUSet has room for.
const maxCPUs = 1024

// onCPU binds the calling thread to the CPU with the number i among those there
// are: two threads on one CPU would have nothing to contend for. Where it is not
// allowed, the kernel places them.
func onCPU(i int) {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return
	}
	for cpu := range maxCPUs {
		if !all.IsSet(cpu) {
			continue
		}
		if i--; i < 0 {
			one.Set(cpu)
			_ = unix.SchedSetaffinity(0, &one) // see above
			return
		}
	}
}

// onThread runs f on a thread of its own on the CPU with the number i, which what f
// starts inherits.
func onThread(i int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // to the end: the thread goes with the goroutine
		onCPU(i)
		done <- f()
	}()
	return <-done
}
