package netring

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// memlockEnv is the environment variable with the limit in KiB for the children of
// TestMemoryLock. memlockedEnv says that the limit holds.
const (
	memlockEnv   = "NETRING_TEST_MEMLOCK"
	memlockedEnv = "NETRING_TEST_MEMLOCKED"
)

// Rings count against RLIMIT_MEMLOCK. Whoever has CAP_IPC_LOCK is exempt, so the test runs
// child processes without it. The rings of all processes of a user count together. Those
// of other tests do not, as root has the capability.
func TestMemoryLock(t *testing.T) {
	if limit := os.Getenv(memlockEnv); limit != "" {
		if os.Getenv(memlockedEnv) == "" {
			t.Fatal(execLimited(limit))
		}
		testMemoryLock(t, limit)
		return
	}
	if has, err := hasIPCLock(); err != nil || !has || os.Getuid() != 0 {
		t.Skipf("it takes root with CAP_IPC_LOCK: %v", err)
	}
	if os.Getenv(EngineEnv) != "" || os.Getenv(sandboxEnv) != "" {
		t.Skip("it is about what EngineAuto picks where io_uring is there")
	}
	for _, limit := range []string{"64", "16", "0"} {
		cmd := child(t, "")
		cmd.Args = append(cmd.Args, "-test.v")
		cmd.Env = append(cmd.Env, memlockEnv+"="+limit)
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: TestMemoryLock")) {
			t.Errorf("%s KiB: %v: %s", limit, err, out)
		}
	}
}

// hasIPCLock reports whether this process has CAP_IPC_LOCK.
func hasIPCLock() (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return data[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0, err
}

// execLimited starts this program again without CAP_IPC_LOCK, and with a limit in KiB. It
// returns if that fails.
func execLimited(limit string) error {
	kib, err := strconv.ParseUint(limit, 10, 64)
	if err != nil {
		return err
	}
	if err := syscall.Setrlimit(unix.RLIMIT_MEMLOCK, &syscall.Rlimit{Cur: kib << 10, Max: kib << 10}); err != nil {
		return os.NewSyscallError("setrlimit", err)
	}
	// Capabilities are those of the thread that calls execve(2).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_IPC_LOCK, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	return os.NewSyscallError("execve", syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), memlockedEnv+"=1")))
}

func testMemoryLock(t *testing.T, limit string) {
	want := EngineURing // 5 rings of 8 KiB
	if limit != "64" {
		want = EngineSyscall
	}
	if p, err := NewPoller(Config{Engine: EngineURing, Reactors: 8}); err == nil && limit != "64" {
		// The limit does not apply: a kernel from 5.12 to 6.13.
		must(t, p.Close())
		t.Skip("this kernel does not count the memory of rings")
	} else if err == nil {
		must(t, p.Close())
	}
	for range 5 { // the kernel frees the memory of closed rings late
		p, err := NewPoller(Config{Reactors: 4})
		must(t, err)
		s := p.Stats()
		if s.Engine != want || (s.EngineReason == "") != (want == EngineURing) {
			t.Errorf("with %s KiB the engine is %v, because %q", limit, s.Engine, s.EngineReason)
		}
		for _, r := range p.all() {
			if kind, _ := r.Engine(); engineOf(kind) != s.Engine {
				t.Errorf("one reactor has the engine %v, the Poller %v", kind, s.Engine)
			}
		}
		server, client := (&stack{poller: p}).pair(t)
		if _, err := client.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := server.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		must(t, p.Close())
	}
	r, err := Probe()
	must(t, err)
	ln, err := Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	if s := currentDefaultPoller().Stats(); s.Engine != r.Engine || s.EngineReason != "" && s.EngineReason != r.Reason {
		t.Errorf("Probe says %v because %q, and the default Poller %v because %q", r.Engine, r.Reason, s.Engine, s.EngineReason)
	}
	if want == EngineURing {
		return
	}
	p, err := NewPoller(Config{Engine: EngineURing, Reactors: 4})
	if err == nil {
		must(t, p.Close())
	}
	if !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), "RLIMIT_MEMLOCK, now "+limit+" KiB") {
		t.Errorf("EngineURing: %v", err)
	}
}
