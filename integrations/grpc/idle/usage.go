package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// usage is the memory of a process, in bytes, and the number of its goroutines.
type usage struct {
	Heap       uint64 // live objects
	Stacks     uint64 // stacks of goroutines
	Runtime    uint64 // the runtime's own records, such as those of package net's descriptors
	Resident   uint64 // what the system has given to the process; 0 outside Linux
	Goroutines uint64
}

// since returns the growth from before to u for each of n connections.
func (u usage) since(before usage, n int) perConn {
	each := func(now, then uint64) float64 { return (float64(now) - float64(then)) / float64(n) }
	return perConn{
		Heap:       each(u.Heap, before.Heap),
		Stacks:     each(u.Stacks, before.Stacks),
		Runtime:    each(u.Runtime, before.Runtime),
		Resident:   each(u.Resident, before.Resident),
		Goroutines: each(u.Goroutines, before.Goroutines),
	}
}

// restingUsage returns what this process uses once it has come to rest: making connections
// leaves goroutines that end a moment later.
func restingUsage() (u usage, err error) {
	const pause, rest, most = 100 * time.Millisecond, 10, 300
	before := runtime.NumGoroutine()
	for still, i := 0, 0; still < rest && i < most; i++ {
		time.Sleep(pause)
		now := runtime.NumGoroutine()
		if still++; now != before {
			still = 0
		}
		before = now
	}
	return currentUsage()
}

// currentUsage collects garbage and returns what is left.
func currentUsage() (u usage, err error) {
	for range 3 { // a sync.Pool keeps its contents for two collections
		debug.FreeOSMemory() // collects garbage, too
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u = usage{
		Heap:       m.HeapAlloc,
		Stacks:     m.StackInuse,
		Runtime:    m.OtherSys + m.MSpanInuse + m.MCacheInuse,
		Goroutines: uint64(runtime.NumGoroutine()),
	}
	if runtime.GOOS == "linux" {
		u.Resident, err = resident()
	}
	return u, err
}

// resident returns the size of the process's resident memory, see proc_pid_statm(5).
func resident() (uint64, error) {
	const name = "/proc/self/statm"
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	var size, pages uint64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0, fmt.Errorf("%s has %q: %w", name, text, err)
	}
	return pages * uint64(os.Getpagesize()), nil
}

// report returns the usage of this process in JSON.
func report() (string, error) {
	u, err := restingUsage()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(u)
	return string(text), err
}
