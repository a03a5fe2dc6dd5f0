package netring

import (
	"cmp"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor/engine"
)

// Probe reports the engine that EngineAuto stands for on this system, and why. The
// Report also has the kernel, the features of io_uring that netring uses, and the
// limits that affect netring.
//
// Probe tries each feature on a throw-away ring, once in a process. It takes the engine
// from the default Poller, which it starts if necessary. If the environment asks for
// "syscall" or "net", Probe does not touch io_uring.
//
// Probe fails if the environment asks for an unknown engine. It may be called
// concurrently.
func Probe() (*Report, error) {
	asked, err := override(EngineAuto)
	if err != nil {
		return nil, err
	}
	r := &Report{Kernel: kernelRelease(), Engine: asked, Limits: limits()}
	if asked == EngineSyscall || asked == EngineNet {
		r.Reason = fmt.Sprintf("%s=%v", EngineEnv, asked)
		return r, nil
	}
	features, unavailable := engine.Probe()
	for _, f := range features {
		r.Features = append(r.Features, Feature(f))
	}
	if unavailable != nil && asked == EngineURing {
		r.Reason = fmt.Sprintf("%s=%v, but %v", EngineEnv, asked, unavailable)
		return r, nil
	}
	// A Poller needs a ring for each reactor, so a single ring that works proves little.
	// Only a Poller shows which engine a Poller gets.
	p, err := acquire(nil)
	if err != nil {
		r.Reason = err.Error()
		return r, nil
	}
	s := p.Stats()
	r.Engine, r.Reason = s.Engine, cmp.Or(s.EngineReason, "io_uring is available")
	return r, p.release()
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func limits() Limits {
	return Limits{
		OpenFiles:       rlimit(unix.RLIMIT_NOFILE),
		LockedMemory:    rlimit(unix.RLIMIT_MEMLOCK),
		IOUringDisabled: engine.Sysctl("io_uring_disabled"),
		IOUringGroup:    engine.Sysctl("io_uring_group"),
		Seccomp:         engine.SeccompMode(),
	}
}

// rlimit returns a resource limit as "soft/hard", "" if the limit is unknown.
func rlimit(resource int) string {
	var l unix.Rlimit
	if unix.Getrlimit(resource, &l) != nil {
		return ""
	}
	text := func(n uint64) string {
		if n == unix.RLIM_INFINITY {
			return "unlimited"
		}
		return fmt.Sprint(n)
	}
	return text(l.Cur) + "/" + text(l.Max)
}
