package engine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// restrictions are what makes the kernel answer io_uring's calls with EPERM.
type restrictions struct {
	disabled string // sysctl kernel.io_uring_disabled; "" before Linux 6.6
	group    string // sysctl kernel.io_uring_group
	member   bool   // of that group
	filter   bool   // the process has a seccomp filter
}

func findRestrictions() restrictions {
	r := restrictions{
		disabled: Sysctl("io_uring_disabled"),
		group:    Sysctl("io_uring_group"),
		filter:   SeccompMode() == "filter",
	}
	if gid, err := strconv.Atoi(r.group); err == nil && gid >= 0 {
		groups, err := unix.Getgroups()
		r.member = gid == unix.Getegid() || err == nil && slices.Contains(groups, gid)
	}
	return r
}

// remedy says what forbids io_uring and what to change. The kernel runs a seccomp filter
// before it looks at its settings, so either may be behind the error, and both must
// admit the calls.
func (r restrictions) remedy(err error) string {
	const allow = "allow io_uring_setup, io_uring_enter and io_uring_register, see docs/containers.md"
	var s string
	switch {
	case !settingApplies(err):
	case r.disabled == "2":
		s = "kernel.io_uring_disabled is 2: set it to 0 on the host"
	case r.disabled == "1" && !r.member:
		s = fmt.Sprintf("kernel.io_uring_disabled is 1, and the process is not in the group kernel.io_uring_group, which is %s: "+
			"set the first to 0 on the host, or add the process to the group", r.group)
	}
	switch {
	case s != "" && r.filter:
		return s + "; the process also has a seccomp filter, which must " + allow
	case s != "":
		return s
	case r.filter:
		return "the process has a seccomp filter that forbids it: change the profile to " + allow
	}
	return "a security module such as SELinux forbids it: change its policy, see docs/containers.md"
}

// settingApplies reports whether kernel.io_uring_disabled can be behind the error. The
// setting is about making a ring, not about using one.
func settingApplies(err error) bool {
	var call *os.SyscallError
	return !errors.As(err, &call) || call.Syscall == "io_uring_setup"
}

// Sysctl reads one of the kernel's settings, "" where there is none.
func Sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/kernel/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// SeccompMode returns "off", "strict" or "filter", "" if the mode is unknown.
func SeccompMode() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(status)) {
		if mode, ok := strings.CutPrefix(line, "Seccomp:"); ok {
			return map[string]string{"0": "off", "1": "strict", "2": "filter"}[strings.TrimSpace(mode)]
		}
	}
	return ""
}
