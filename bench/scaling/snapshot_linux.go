package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
)

// snapshot is what a server tells about itself.
type snapshot struct {
	Batches, Ops, Inline, Polls, Parks uint64
	Goroutines                         int
	FDs                                int
	Heap, Stack                        uint64 // bytes in use, after a collection
	RSS                                uint64 // bytes
	Accepted                           []int64
	Locks                              []lockSite
}

func (s *running) snapshot() (snap snapshot, err error) {
	for _, p := range s.pollers {
		st := p.Stats()
		snap.Batches += st.Batches
		snap.Ops += st.Ops
		snap.Inline += st.Inline
		snap.Polls += st.Polls
		snap.Parks += st.Parks
	}
	for _, n := range s.accepted {
		snap.Accepted = append(snap.Accepted, n.Load())
	}
	snap.Goroutines = runtime.NumGoroutine()
	debug.FreeOSMemory() // so that what is resident is in use
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	snap.Heap, snap.Stack = ms.HeapAlloc, ms.StackInuse
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return snap, err
	}
	snap.FDs = len(fds)
	statm, err := os.ReadFile("/proc/self/statm") // in pages: size, resident, ...
	if err != nil {
		return snap, err
	}
	page := uint64(os.Getpagesize())
	var size uint64
	if _, err := fmt.Sscan(string(statm), &size, &snap.RSS); err != nil {
		return snap, err
	}
	snap.RSS *= page
	snap.Locks, err = contention()
	return snap, err
}

// lockSite is how often, and how long, goroutines waited for a lock that was
// released in a function.
type lockSite struct {
	Function string
	Count    int64
	Seconds  float64
}

// contention reads the profile of mutexes. Its text form has a line for each
// stack, "CYCLES COUNT @ ADDRESSES", followed by the frames, innermost first.
func contention() ([]lockSite, error) {
	var b bytes.Buffer
	if err := pprof.Lookup("mutex").WriteTo(&b, 1); err != nil {
		return nil, err
	}
	return parseContention(b.String())
}

func parseContention(profile string) (sites []lockSite, err error) {
	var perSecond, cycles float64
	var count int64
	for line := range strings.Lines(profile) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "cycles/second="):
			if perSecond, err = strconv.ParseFloat(strings.TrimSpace(line[len("cycles/second="):]), 64); err != nil {
				return nil, err
			}
		case len(fields) > 2 && fields[2] == "@":
			if _, err := fmt.Sscan(line, &cycles, &count); err != nil {
				return nil, err
			}
		case len(fields) > 2 && fields[0] == "#" && count > 0:
			name, _, _ := strings.Cut(fields[2], "+0x")
			if strings.HasPrefix(name, "sync.") || strings.HasPrefix(name, "internal/sync.") {
				continue // Unlock itself
			}
			sites = append(sites, lockSite{name, count, cycles / perSecond})
			count = 0 // the other frames are its callers
		}
	}
	return sites, nil
}
