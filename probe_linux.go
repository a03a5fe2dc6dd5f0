package netring

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor/engine"
)

// Probe reports what netring finds on this system: the kernel, each feature of
// io_uring that it uses, the limits that bear on it, and what EngineAuto is here
// and why: the default Poller's engine, which is made for the purpose if it does not
// exist. Probe tries features on a throw-away ring, once in a process; where the
// environment asks for "syscall" or "net", it does not touch io_uring.
//
// It fails if the environment asks for an engine that does not exist.
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
		r.Reason = fmt.Sprintf("%s=%v, although %v", EngineEnv, asked, unavailable)
		return r, nil
	}
	// What counts is what a Poller gets, which needs a ring for each reactor: so one is
	// made, unless the default one has been.
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
	l := Limits{
		OpenFiles:       rlimit(unix.RLIMIT_NOFILE),
		LockedMemory:    rlimit(unix.RLIMIT_MEMLOCK),
		IOUringDisabled: engine.Sysctl("io_uring_disabled"),
		IOUringGroup:    engine.Sysctl("io_uring_group"),
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			if mode, ok := strings.CutPrefix(line, "Seccomp:"); ok {
				l.Seccomp = map[string]string{"0": "off", "1": "strict", "2": "filter"}[strings.TrimSpace(mode)]
			}
		}
	}
	return l
}

// rlimit gives a resource limit as "soft/hard", "" if the system does not tell.
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
