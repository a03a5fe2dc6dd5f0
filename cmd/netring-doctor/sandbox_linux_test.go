package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/internal/seccomp"
)

// sandboxes are what a doctor can be put into, by name.
var sandboxes = map[string]func() error{
	"":            func() error { return nil },
	"no setup":    func() error { return forbid(unix.SYS_IO_URING_SETUP) },
	"no register": func() error { return forbid(unix.SYS_IO_URING_REGISTER) },
	"no files":    func() error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}) },
}

func forbid(call uint32) error {
	return seccomp.Install([]seccomp.Rule{{Call: call, Action: seccomp.Errno(unix.EPERM)}}, seccomp.Allow)
}

func enterSandbox(name string) {
	if err := sandboxes[name](); err != nil {
		fmt.Fprintf(os.Stderr, "sandbox %s: %v\n", name, err)
		os.Exit(exitFailed)
	}
}

// requireRing skips the test where the kernel or a sandbox refuses io_uring.
func requireRing(t *testing.T) {
	t.Helper()
	r := runDoctor(t, []string{netring.EngineEnv + "=uring"}, "-rounds", "0")
	if r.status != exitOK && (strings.Contains(r.stdout, "not permitted") || strings.Contains(r.stdout, "not implemented")) {
		t.Skipf("io_uring is refused here: %s", r.stdout)
	}
	if r.status != exitOK {
		t.Fatalf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
}

func TestEngineSyscall(t *testing.T) {
	d := runDoctor(t, []string{netring.EngineEnv + "=syscall"}, "-json", "-rounds", "1", "-d", "20ms").report(t)
	if d.Engine != netring.EngineSyscall || d.Features != nil || len(d.Measurement.Engines) != 2 {
		t.Errorf("%+v", d)
	}
}

// All engines are compared, also if the environment chooses one of them.
func TestEngineURing(t *testing.T) {
	requireRing(t)
	d := runDoctor(t, []string{netring.EngineEnv + "=uring"}, "-json", "-rounds", "1", "-d", "20ms").report(t)
	if d.Engine != netring.EngineURing || len(d.Measurement.Engines) != 3 || d.Measurement.find(netring.EngineURing, netring.EngineSyscall) == nil {
		t.Errorf("%+v", d)
	}
}

// Where a filter forbids io_uring, the doctor names the filter. If the environment asks
// for the ring, nothing runs, and the doctor says so.
func TestForbidden(t *testing.T) {
	d := runDoctor(t, []string{asDoctor + "=no setup"}, "-json", "-rounds", "1", "-d", "20ms").report(t)
	if advice := strings.Join(d.Advice, "\n"); d.Engine != netring.EngineSyscall || d.Features[0].Supported ||
		!strings.Contains(d.Reason, "seccomp filter") || !strings.Contains(advice, d.Reason) || strings.Contains(advice, "newer kernel") {
		t.Errorf("%+v, %+v", d, d.Report)
	}
	r := runDoctor(t, []string{asDoctor + "=no setup", netring.EngineEnv + "=uring"})
	if r.status != exitFailed || !strings.Contains(r.stdout, "none: Listen and Dial fail:") || !strings.Contains(r.stdout, "seccomp filter") {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
}

// A part of the ring that a filter forbids does not need a newer kernel.
func TestForbiddenInPart(t *testing.T) {
	requireRing(t)
	d := runDoctor(t, []string{asDoctor + "=no register"}, "-json", "-rounds", "0").report(t)
	if advice := strings.Join(d.Advice, "\n"); olderThan(d.Kernel, "5.19") != strings.Contains(advice, "newer kernel") ||
		olderThan(d.Kernel, "5.19") == strings.Contains(advice, "io_uring_register") || d.Engine != netring.EngineURing {
		t.Errorf("%q", advice)
	}
}

// Without descriptors, nothing can be served.
func TestNoFiles(t *testing.T) {
	r := runDoctor(t, []string{asDoctor + "=no files"})
	if r.status != exitFailed || !strings.Contains(r.stdout, "none: Listen and Dial fail:") || !strings.Contains(r.stdout, "RLIMIT_NOFILE, is 3/3") {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
}

// Rings count against RLIMIT_MEMLOCK. Root is exempt, so the doctor runs as an ordinary
// user. The report and the default Poller must name the same engine at every limit.
func TestMemoryLock(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it takes root to become another user")
	}
	requireRing(t)
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	for _, step := range []string{"64", "8", "0"} {
		t.Run(step+" KiB", func(t *testing.T) {
			// The user may not search the binary's directory.
			cmd := exec.Command("sh", "-c", "ulimit -l "+step+" && exec /proc/self/fd/3 -json -rounds 5 -d 20ms")
			cmd.ExtraFiles = []*os.File{self}
			cmd.Dir = "/"
			// Not the user of other tests: the limit is for all processes of a user.
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65533, Gid: 65533}}
			checkMemoryLock(t, step, runCommand(t, cmd, []string{"GOMAXPROCS=2"}).report(t))
		})
	}
}

func checkMemoryLock(t *testing.T, step string, d *diagnosis) {
	t.Helper()
	want := netring.EngineURing
	counted := olderThan(d.Kernel, "5.12") || !olderThan(d.Kernel, "6.14")
	if counted && step != "64" { // two rings of 8 KiB, at least
		want = netring.EngineSyscall
	}
	if d.Engine != want && os.Getpagesize() == 4096 {
		t.Errorf("the engine is %v because %q, want %v", d.Engine, d.Reason, want)
	}
	advice := strings.Join(d.Advice, "\n")
	if says := strings.Contains(advice, "RLIMIT_MEMLOCK, now "+step+" KiB"); says != (d.Engine == netring.EngineSyscall) {
		t.Errorf("the engine is %v, and the advice %q", d.Engine, advice)
	}
}
