package engine

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Unavailable is why the uring engine cannot be used. Its text says what can be
// done about it.
type Unavailable struct{ Err error }

func (u *Unavailable) Unwrap() error { return u.Err }

func (u *Unavailable) Error() string {
	s := "io_uring is unavailable: " + u.Err.Error()
	if r := u.remedy(); r != "" {
		s += " (" + r + ")"
	}
	return s
}

// remedy says what usually is behind the error and how to change it.
func (u *Unavailable) remedy() string {
	switch {
	case errors.Is(u.Err, unix.EPERM) || errors.Is(u.Err, unix.EACCES):
		switch setting := Sysctl("io_uring_disabled"); setting {
		case "1":
			return "kernel.io_uring_disabled is 1: set it to 0, or run as a member of the group kernel.io_uring_group"
		case "2":
			return "kernel.io_uring_disabled is 2: set it to 0"
		}
		return "a seccomp profile or a security module forbids it: allow io_uring_setup, io_uring_enter and io_uring_register, see docs/containers.md"
	case errors.Is(u.Err, unix.ENOSYS):
		return "the kernel was built without it or is older than Linux 5.6, or a sandbox hides it"
	case errors.Is(u.Err, unix.ENOMEM):
		return "each reactor's ring locks 8 KiB or more, which Linux before 5.12 and since 6.14 counts against RLIMIT_MEMLOCK" + memlock() + ": raise that limit, see docs/containers.md"
	case errors.Is(u.Err, unix.EMFILE), errors.Is(u.Err, unix.ENFILE):
		return "the limit of open files is reached: raise RLIMIT_NOFILE"
	case errors.Is(u.Err, errors.ErrUnsupported):
		return "it needs Linux 5.6"
	}
	return ""
}

// memlock says what the limit is.
func memlock() string {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &l) != nil || l.Cur == unix.RLIM_INFINITY {
		return ""
	}
	return fmt.Sprintf(", now %d KiB for all processes of the user", l.Cur>>10)
}

// Sysctl reads one of the kernel's settings, "" where there is none.
func Sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/kernel/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// conclusive reports whether a later probe ends with err, too. What the kernel lacks
// and what a sandbox forbids stays so. Everything else may pass: a lack of memory or
// descriptors, and whatever nobody has thought of.
func conclusive(err error) bool {
	if err == nil {
		return true
	}
	for _, errno := range []error{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EINVAL, errors.ErrUnsupported} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
