package engine

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/seccomp"
)

// The remedy names what forbids io_uring here, and nothing that does not.
func TestForbiddenRemedy(t *testing.T) {
	setup := os.NewSyscallError("io_uring_setup", unix.EPERM)
	enter := os.NewSyscallError("io_uring_enter", unix.EPERM)
	const setting, filter, module = "kernel.io_uring_disabled", "seccomp", "SELinux"
	for _, tc := range []struct {
		name string
		r    restrictions
		err  error
		want []string
		not  []string
	}{
		{"setting 2", restrictions{disabled: "2"}, setup, []string{setting + " is 2"}, []string{filter, module}},
		{"setting 2 and a filter", restrictions{disabled: "2", filter: true}, setup, []string{setting + " is 2", filter, "io_uring_enter"}, []string{module}},
		{"setting 1", restrictions{disabled: "1", group: "42"}, setup, []string{setting + " is 1", "which is 42"}, []string{filter, module}},
		{"setting 1, a member", restrictions{disabled: "1", group: "42", member: true, filter: true}, setup, []string{filter}, []string{setting, module}},
		{"a filter", restrictions{disabled: "0", filter: true}, setup, []string{filter, "io_uring_register", "docs/containers.md"}, []string{setting, module}},
		{"a filter for io_uring_enter", restrictions{disabled: "2", filter: true}, enter, []string{filter}, []string{setting, module}},
		{"neither", restrictions{disabled: "0"}, setup, []string{module}, []string{setting, filter}},
	} {
		got := tc.r.remedy(tc.err)
		for _, want := range tc.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q does not speak of %q", tc.name, got, want)
			}
		}
		for _, not := range tc.not {
			if strings.Contains(got, not) {
				t.Errorf("%s: %q speaks of %q", tc.name, got, not)
			}
		}
	}
}

// A call is named once, by the kernel's name, in the error of a ring that a filter
// forbids. The test enters a filter, so it runs in a child process.
func TestRefusedRingNamesTheCallOnce(t *testing.T) {
	const child = "NETRING_TEST_REFUSED_RING"
	if os.Getenv(child) == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	if err := seccomp.Install([]seccomp.Rule{{Call: unix.SYS_IO_URING_SETUP, Action: seccomp.Errno(unix.EPERM)}}, seccomp.Allow); err != nil {
		t.Fatal(err)
	}
	_, reason, err := New(Config{Kind: Auto, Size: 8})
	if err != nil || !errors.Is(reason, unix.EPERM) {
		t.Fatalf("auto: %v, %v", reason, err)
	}
	const want = "io_uring is unavailable: io_uring_setup: operation not permitted ("
	if s := reason.Error(); !strings.HasPrefix(s, want) || strings.Contains(s, "iouring") || !strings.Contains(s, "seccomp filter") {
		t.Errorf("%q; want the prefix %q, and the filter", s, want)
	}
	if s := reason.Error(); strings.Contains(s, "EngineAuto") {
		t.Errorf("%q advises what was done", s)
	}
}

// Each lack has the remedy that helps against it.
func TestLackRemedy(t *testing.T) {
	for errno, want := range map[error]string{unix.EMFILE: "RLIMIT_NOFILE", unix.ENFILE: "fs.file-max", unix.ENOMEM: "RLIMIT_MEMLOCK"} {
		if s := (&Unavailable{os.NewSyscallError("io_uring_setup", errno)}).Error(); !strings.Contains(s, want) {
			t.Errorf("%v: %q does not speak of %q", errno, s, want)
		}
	}
}
