package netring

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/seccomp"
)

// sandboxEnv is the environment variable with the sandbox that a test binary enters
// before its tests.
const sandboxEnv = "NETRING_TEST_SANDBOX"

// ioUringCalls are the system calls that a sandbox forbids.
var ioUringCalls = []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}

// forbid puts the process behind a filter for the given calls.
func forbid(action uint32, calls ...uint32) error {
	var rules []seccomp.Rule
	for _, c := range calls {
		rules = append(rules, seccomp.Rule{Call: c, Action: action})
	}
	return seccomp.Install(rules, seccomp.Allow)
}

// sandbox is a restriction that occurs in practice.
type sandbox struct {
	name   string
	engine string // NETRING_ENGINE
	enter  func() error
	check  func(t *testing.T) // checks what netring finds in the sandbox
}

func sandboxes() []sandbox {
	refused := func(errno error, remedy string) func(t *testing.T) {
		return func(t *testing.T) {
			p := newPoller(t, Config{})
			if s := p.Stats(); s.Engine != EngineSyscall || !strings.Contains(s.EngineReason, remedy) {
				t.Errorf("auto is %v because of %q; want the syscall engine, and %q", s.Engine, s.EngineReason, remedy)
			}
			r, err := Probe()
			must(t, err)
			if r.Engine != EngineSyscall || r.Reason != p.Stats().EngineReason || len(r.Features) < 2 || r.Features[1].Supported || r.Limits.Seccomp != "filter" {
				t.Errorf("the report is %+v", r)
			}
			setEngine(t, "uring")
			_, err = Listen("tcp", "127.0.0.1:0")
			var oe *net.OpError
			if !errors.As(err, &oe) || oe.Op != "listen" || !errors.Is(err, errno) || !strings.Contains(err.Error(), remedy) {
				t.Errorf("with uring asked for, Listen says %v; want %v, and %q", err, errno, remedy)
			}
		}
	}
	untouched := func(engine Engine) func(t *testing.T) {
		return func(t *testing.T) {
			if s := newPoller(t, Config{Engine: EngineURing}).Stats(); s.Engine != engine {
				t.Errorf("the engine is %v", s.Engine)
			}
			r, err := Probe()
			must(t, err)
			if r.Engine != engine || r.Features != nil || !strings.Contains(r.Reason, EngineEnv) {
				t.Errorf("the report is %+v", r)
			}
		}
	}
	return []sandbox{
		{"setup-EPERM", "auto", func() error { return forbid(seccomp.Errno(unix.EPERM), unix.SYS_IO_URING_SETUP) },
			refused(unix.EPERM, "allow io_uring_setup")},
		{"setup-ENOSYS", "auto", func() error { return forbid(seccomp.Errno(unix.ENOSYS), ioUringCalls...) },
			refused(unix.ENOSYS, "older than Linux 5.6")},
		{"register-EPERM", "auto", func() error { return forbid(seccomp.Errno(unix.EPERM), unix.SYS_IO_URING_REGISTER) },
			func(t *testing.T) {
				if s := newPoller(t, Config{}).Stats(); s.Engine != EngineURing {
					t.Errorf("the engine is %v because of %q, want uring without provided buffers", s.Engine, s.EngineReason)
				}
				r, err := Probe()
				must(t, err)
				for _, f := range r.Features {
					if want := f.Name != "provided-buffer ring"; f.Supported != want {
						t.Errorf("%s: supported %v, %s", f.Name, f.Supported, f.Reason)
					}
				}
			}},
		{"enter-EPERM", "auto", func() error { return forbid(seccomp.Errno(unix.EPERM), unix.SYS_IO_URING_ENTER) },
			refused(unix.EPERM, "allow io_uring_setup")},
		{"enter-EPERM-later", "auto", func() error {
			if _, err := Probe(); err != nil { // caches that io_uring is available
				return err
			}
			return forbid(seccomp.Errno(unix.EPERM), unix.SYS_IO_URING_ENTER)
		}, func(t *testing.T) {
			s := &stack{poller: newPoller(t, Config{Reactors: 1})}
			if e := s.poller.Stats().Engine; e != EngineURing {
				t.Errorf("before any operation, the engine is %v", e)
			}
			server, client := s.pair(t)
			_, err := client.Write([]byte("x"))
			must(t, err)
			_, err = server.Read(make([]byte, 1))
			must(t, err)
			if st := s.poller.Stats(); st.Engine != EngineSyscall || !strings.Contains(st.EngineReason, "broke down") {
				t.Errorf("afterwards, the engine is %v because of %q", st.Engine, st.EngineReason)
			}
		}},
		{"kill-syscall", "syscall", func() error { return forbid(seccomp.Kill, ioUringCalls...) }, untouched(EngineSyscall)},
		{"kill-net", "net", func() error { return forbid(seccomp.Kill, ioUringCalls...) }, untouched(EngineNet)},
	}
}

// enterSandbox enters the sandbox that the environment names. TestMain calls it first.
func enterSandbox() {
	name := os.Getenv(sandboxEnv)
	if name == "" || name == "live" {
		return
	}
	for _, s := range sandboxes() {
		if s.name == name {
			if err := s.enter(); err != nil {
				fmt.Fprintf(os.Stderr, "sandbox %s: %v\n", name, err)
				os.Exit(1)
			}
			return
		}
	}
	fmt.Fprintf(os.Stderr, "sandbox %q does not exist\n", name)
	os.Exit(1)
}

// sandboxed runs the matching tests in a sandbox, and returns their output.
func sandboxed(t *testing.T, name, engine, tests string) string {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe, "-test.run", tests, "-test.v", "-test.timeout", "150s")
	cmd.Env = append(os.Environ(), sandboxEnv+"="+name, EngineEnv+"="+engine)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, failures(out))
	}
	return string(out)
}

// failures returns the part of a verbose test's output with the failures.
func failures(out []byte) []byte {
	if i := bytes.Index(out, []byte("--- FAIL")); i >= 0 {
		out = out[max(0, i-4000):]
	}
	return out[:min(len(out), 8000)]
}

// suites matches the tests that must pass in every sandbox.
const suites = `^Test(InSandbox|HTTP.*|Nettest.*|TLS|ReverseProxy|Row0[12357].*|Dial.*|Writev|ReadLease.*)$`

// TestSandboxes runs the HTTP and conformance tests under real seccomp filters.
func TestSandboxes(t *testing.T) {
	if os.Getenv(sandboxEnv) != "" || os.Getenv(EngineEnv) != "" {
		t.Skip("the sandboxes choose the engine themselves")
	}
	skip := regexp.MustCompile(`--- SKIP: (\S+)`)
	for _, s := range sandboxes() {
		t.Run(s.name, func(t *testing.T) {
			if s.name == "enter-EPERM-later" || s.name == "register-EPERM" {
				newPoller(t, Config{Engine: EngineURing}) // skips the test where io_uring is refused
			}
			out := sandboxed(t, s.name, s.engine, suites)
			if n := strings.Count(out, "--- PASS"); n < 20 {
				t.Errorf("only %d tests passed:\n%s", n, failures([]byte(out)))
			}
			if s.engine == "net" {
				return // with package net, many tests skip themselves
			}
			for _, m := range skip.FindAllStringSubmatch(out, -1) {
				if m[1] != "TestConnNoAllocations" {
					t.Errorf("%s was skipped", m[1])
				}
			}
		})
	}
}

// TestInSandbox checks what netring finds in its sandbox.
func TestInSandbox(t *testing.T) {
	for _, s := range sandboxes() {
		if s.name == os.Getenv(sandboxEnv) {
			s.check(t)
		}
	}
}

// TestRingBreaksUnderLoad forbids io_uring_enter while a server works. The server's
// connections must not lose a byte.
func TestRingBreaksUnderLoad(t *testing.T) {
	if os.Getenv(sandboxEnv) != "live" {
		if os.Getenv(sandboxEnv) != "" || os.Getenv(EngineEnv) != "" {
			t.Skip("the test chooses the engine itself")
		}
		newPoller(t, Config{Engine: EngineURing}) // skips the test where io_uring is refused
		sandboxed(t, "live", "auto", "^TestRingBreaksUnderLoad$")
		return
	}
	s := &stack{poller: newPoller(t, Config{})}
	ln := s.listen(t)
	addr := ln.Addr().String()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("the server reads: %v", err)
		}
		w.Write(body)
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	var wg sync.WaitGroup
	var answered atomic.Int64
	stop := make(chan struct{})
	for i := range 20 {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			r := bufio.NewReader(c)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				body := strings.Repeat(fmt.Sprintf("%d-%d.", i, n), 1+n%3000)
				if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
					t.Error(err)
					return
				}
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				if err != nil || string(got) != body {
					t.Errorf("connection %d, request %d: %d bytes come back of %d: %v", i, n, len(got), len(body), err)
					return
				}
				answered.Add(1)
			}
		})
	}
	reach := func(n int64) {
		for end := time.Now().Add(60 * time.Second); answered.Load() < n && !t.Failed(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d requests are answered, want %d", answered.Load(), n)
			}
		}
	}
	reach(500)
	if st := s.poller.Stats(); st.Engine != EngineURing {
		t.Errorf("before, the engine is %v because of %q", st.Engine, st.EngineReason)
	}
	must(t, forbid(seccomp.Errno(syscall.EPERM), unix.SYS_IO_URING_ENTER))
	reach(answered.Load() + 500)
	if st := s.poller.Stats(); st.Engine != EngineSyscall || !strings.Contains(st.EngineReason, "broke down") {
		t.Errorf("afterwards, the engine is %v because of %q", st.Engine, st.EngineReason)
	}
	close(stop)
	wg.Wait()
	must(t, srv.Close())
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}
