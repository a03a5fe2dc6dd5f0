package netring

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// limitedUserEnv is the environment variable with the step for the child of
// TestMemoryLock.
const limitedUserEnv = "NETRING_TEST_MEMLOCK"

// Rings count against RLIMIT_MEMLOCK. Root is exempt, so the test runs a child process
// as an ordinary user.
func TestMemoryLock(t *testing.T) {
	if step := os.Getenv(limitedUserEnv); step != "" {
		testMemoryLock(t, step)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("it takes root to become another user")
	}
	if os.Getenv(EngineEnv) != "" || os.Getenv(sandboxEnv) != "" {
		t.Skip("it is about what EngineAuto picks where io_uring is there")
	}
	self, err := os.Open("/proc/self/exe")
	must(t, err)
	defer self.Close()
	for _, step := range []string{"64", "16", "0"} {
		t.Run(step+" KiB", func(t *testing.T) {
			// The user may not search the binary's directory.
			cmd := exec.Command("sh", "-c", "ulimit -l "+step+` && exec /proc/self/fd/3 -test.run '^TestMemoryLock$' -test.v`)
			cmd.ExtraFiles = []*os.File{self}
			cmd.Env = append(os.Environ(), limitedUserEnv+"="+step)
			cmd.Dir = "/"
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			out, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("--- PASS: TestMemoryLock")) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func testMemoryLock(t *testing.T, step string) {
	want := EngineURing // 5 rings of 8 KiB
	if step != "64" {
		want = EngineSyscall
	}
	if p, err := NewPoller(Config{Engine: EngineURing, Reactors: 8}); err == nil && step != "64" {
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
			t.Errorf("with %s KiB the engine is %v, because %q", step, s.Engine, s.EngineReason)
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
	if !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), "RLIMIT_MEMLOCK, now "+step+" KiB") {
		t.Errorf("EngineURing: %v", err)
	}
}
