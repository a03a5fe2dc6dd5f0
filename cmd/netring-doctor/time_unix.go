//go:build unix

package main

import (
	"syscall"
	"time"
)

// processTime returns the CPU time that this process has used, 0 if it is unknown.
func processTime() time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}
