package engine

import (
	"errors"
	"fmt"

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
		return findRestrictions().remedy(u.Err)
	case errors.Is(u.Err, unix.ENOSYS):
		return "the kernel was built without it or is older than Linux 5.6, or a sandbox hides it"
	case errors.Is(u.Err, unix.ENOMEM):
		return lackOfMemory()
	case errors.Is(u.Err, unix.EMFILE):
		return "the limit of open files is reached: raise RLIMIT_NOFILE, for example with ulimit -n"
	case errors.Is(u.Err, unix.ENFILE):
		return "the system's limit of open files is reached: raise the sysctl fs.file-max"
	case errors.Is(u.Err, errors.ErrUnsupported):
		return "it needs Linux 5.6"
	}
	return ""
}

// lackOfMemory says which limit a ring may have met.
func lackOfMemory() string {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &l) != nil {
		return "the memory of a ring is missing: raise RLIMIT_MEMLOCK, see docs/containers.md"
	}
	if l.Cur == unix.RLIM_INFINITY {
		return "the kernel or the process's cgroup is short of memory, because RLIMIT_MEMLOCK is unlimited: raise the cgroup's limit"
	}
	return fmt.Sprintf("each reactor's ring locks 8 KiB or more, which Linux before 5.12 and since 6.14 counts against RLIMIT_MEMLOCK, "+
		"now %d KiB for all processes of the user: raise that limit, see docs/containers.md", l.Cur>>10)
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
