package proc

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUs returns the CPUs of the server and of the load in a setting (nil: all):
// "one-core" has each on a CPU of its own, "shared" both on all. It fails if there is
// no such setting, or if there is one CPU only for "one-core".
func CPUs(setting string) (server, load []int, err error) {
	switch setting {
	case "one-core":
		if runtime.NumCPU() < 2 {
			return nil, nil, errors.New("needs two CPUs: one for the server, one for the load")
		}
		return []int{0}, []int{1}, nil
	case "shared":
		return nil, nil, nil
	}
	return nil, nil, errors.New("unknown setting: want one-core or shared")
}

// OnCPUs runs f on a thread that is bound to cpus (nil: all), which what f starts
// inherits. It returns f's error, or that of binding the thread.
func OnCPUs(cpus []int, f func() error) error {
	if cpus == nil {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	return errors.Join(f(), os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &before)))
}

// CPUTime is the CPU time, user and system, that a process has used, its kernel
// threads (SQPOLL, io-wq) included. It fails if there is no such process.
func CPUTime(pid int) (time.Duration, error) {
	// The clock id of a process's CPU time, see clock_getcpuclockid(3).
	clock := int32(^uint32(pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(ts.Nano()), nil
}

// LoadAverage returns the machine's load average over the last minute, as the
// system prints it.
func LoadAverage() (string, error) {
	load, err := os.ReadFile("/proc/loadavg")
	minute, _, _ := strings.Cut(string(load), " ")
	return minute, err
}
