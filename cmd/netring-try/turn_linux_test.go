package main

import (
	"os"
	"testing"
	"time"
)

// TestCPUTime checks the figure against the process's own clock.
func TestCPUTime(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const work = 200 * time.Millisecond
	n := 0
	for start := time.Now(); time.Since(start) < 3*work; {
		n++
	}
	after, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if used := after - before; used < work/2 || used > 30*work {
		t.Errorf("%v of CPU time for a loop of %v (%d turns)", used, 3*work, n)
	}
	if _, err := cpuTime(-1); err == nil {
		t.Error("no error for a process that does not exist")
	}
}
