package main

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// refusal says what the kernel does not let a mode do.
type refusal struct {
	what  string // the call or operation
	errno syscall.Errno
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s: %s (%v)", r.what, unix.ErrnoName(r.errno), r.errno)
}

// refused makes a refusal of err, which is nil or holds an errno.
func refused(what string, err error) error {
	if err == nil {
		return nil
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return &refusal{what, errno}
}

// isRefusal reports whether a negative CQE result says that the kernel does not do
// such an operation, as opposed to how this one ended.
func isRefusal(res int32) bool {
	switch syscall.Errno(-res) {
	case unix.EINVAL, unix.EOPNOTSUPP, unix.ENOSYS, unix.EPERM, unix.EBADF, unix.EFAULT, unix.ENXIO:
		return true
	}
	return false
}
