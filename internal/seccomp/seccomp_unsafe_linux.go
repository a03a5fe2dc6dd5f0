package seccomp

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rule gives the action for the system call with one number.
type Rule struct {
	Call   uint32
	Action uint32
}

// The actions of a Rule.
const (
	Allow uint32 = unix.SECCOMP_RET_ALLOW
	Kill  uint32 = unix.SECCOMP_RET_KILL_PROCESS
)

// Errno returns the action that makes a call fail with e.
func Errno(e syscall.Errno) uint32 {
	return unix.SECCOMP_RET_ERRNO | uint32(e)&unix.SECCOMP_RET_DATA
}

// maxRules keeps the program within BPF's limit of 4096 instructions.
const maxRules = 2000

// Install puts all threads of the process behind a filter. The first rule for a call's
// number decides; otherwise is the action for calls without a rule. A process cannot
// remove its filters.
func Install(rules []Rule, otherwise uint32) error {
	if len(rules) > maxRules {
		return fmt.Errorf("seccomp: there are %d rules; use at most %d", len(rules), maxRules)
	}
	const numberOffset = 0 // of seccomp_data.nr
	prog := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: numberOffset}}
	for _, r := range rules {
		prog = append(prog,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: r.Call},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: r.Action})
	}
	prog = append(prog, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: otherwise})
	// Without this, the kernel refuses filters of an unprivileged process.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	// TSYNC applies the filter and no_new_privs to every thread. Its result is the id of
	// a thread that the kernel could not change, or 0.
	tid, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	if tid != 0 {
		return fmt.Errorf("seccomp: thread %d has its own filter; install filters for all threads at once", tid)
	}
	return nil
}
