// Package exampletest runs an example's main function as users do: in its own process,
// until a signal ends the process.
package exampletest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/netring-go/netring/internal/leakcheck"
)

// asExample in the environment makes a test binary run the example.
const asExample = "NETRING_TEST_RUN_EXAMPLE"

const (
	// timeout bounds how long an example may run.
	timeout = 2 * time.Minute
	// endTimeout bounds how long an example may take to end.
	endTimeout = 30 * time.Second
)

// Main runs the tests, or the example in the processes that Start starts. TestMain calls
// Main. Both must end without leaking goroutines, except those that ignore names.
func Main(m *testing.M, example func(), ignore ...goleak.Option) {
	if os.Getenv(asExample) == "" {
		leakcheck.Main(m)
	}
	example()
	if err := goleak.Find(ignore...); err != nil {
		log.Fatal(err)
	}
}

// Run runs the example with each listener, engine and signal, and with args. It calls use
// with the example, runs the command that the example suggests, and checks which engine
// the example reports, and that a signal ends the example properly and without a
// complaint. Run also checks that the example refuses wrong flags.
func Run(t *testing.T, use func(t *testing.T, e *Example), args ...string) {
	for _, tc := range []struct {
		args []string
		sig  syscall.Signal
	}{
		{nil, syscall.SIGINT},
		{[]string{"-engine", "uring"}, syscall.SIGTERM},
		{[]string{"-engine", "syscall"}, syscall.SIGINT},
		{[]string{"-listener", "net"}, syscall.SIGTERM},
	} {
		t.Run(fmt.Sprint(tc.args), func(t *testing.T) {
			e := Start(t, Command(t, slices.Concat(tc.args, args, []string{"-addr", "127.0.0.1:0"})...))
			e.CheckEngine(t, tc.args)
			use(t, e)
			e.try(t)
			if stderr := e.Stop(t, tc.sig); stderr != "" {
				t.Errorf("the example complains: %s", stderr)
			}
		})
	}
	for _, wrong := range [][]string{{"-listener", "tcp"}, {"-engine", "fast"}, {"-addr", "nowhere"}} {
		t.Run(fmt.Sprint(wrong), func(t *testing.T) { Refuses(t, Command(t, wrong...), wrong[1]) })
	}
}

// Each runs a test with the arguments for each engine, and for package net. The arguments
// also have an address to listen on.
func Each(t *testing.T, test func(t *testing.T, args []string)) {
	for _, args := range [][]string{{"-engine", "uring"}, {"-engine", "syscall"}, {"-listener", "net"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) { test(t, append(args, "-addr", "127.0.0.1:0")) })
	}
}

// Example is a running example.
type Example struct {
	Addrs  []string // where it listens
	Addr   string   // the first of Addrs
	Engine string   // "" with -listener net
	Try    string   // the command that the example suggests

	cmd    *exec.Cmd
	out    *bufio.Reader
	stderr *strings.Builder
}

// Command returns the command that runs the example with the given arguments.
func Command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	// A process with the race detector sleeps for a second before it ends, unless told
	// otherwise.
	cmd.Env = append(os.Environ(), asExample+"=1", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	return cmd
}

// Start starts the example and waits until it listens. It skips the test where io_uring
// is refused.
func Start(t *testing.T, cmd *exec.Cmd) *Example {
	t.Helper()
	e := &Example{cmd: cmd, stderr: new(strings.Builder)}
	cmd.Stderr = e.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(timeout, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		kill.Stop()
		if cmd.ProcessState == nil { // the test has failed
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	e.out = bufio.NewReader(out)
	if err := e.readHead(); err != nil {
		cmd.Wait()
		if refused(e.stderr.String()) {
			t.Skip(e.stderr.String())
		}
		t.Fatalf("%v; the example writes to stderr: %s", err, e.stderr)
	}
	return e
}

// refused reports whether an error of an example says that io_uring is refused here.
func refused(text string) bool {
	return strings.Contains(text, "io_uring is unavailable") &&
		(strings.Contains(text, "not permitted") || strings.Contains(text, "not implemented"))
}

var listening = regexp.MustCompile(`^listening on (\S+) with (netring, engine (\w+)|net\b)`)

// readHead reads what an example prints when it starts.
func (e *Example) readHead() error {
	for {
		line, err := e.out.ReadString('\n')
		if err != nil {
			return err
		}
		if try, ok := strings.CutPrefix(line, "try: "); ok {
			if len(e.Addrs) == 0 {
				return errors.New("the example does not print an address")
			}
			e.Addr, e.Try = e.Addrs[0], strings.TrimSuffix(try, "\n")
			return nil
		}
		m := listening.FindStringSubmatch(line)
		if m == nil {
			return fmt.Errorf("the example prints %q", line)
		}
		e.Addrs, e.Engine = append(e.Addrs, m[1]), m[3]
	}
}

// CheckEngine checks that the example reports the engine that args or the environment ask
// for, the former with their first flag. It returns that engine, "" if args do not ask for
// one.
func (e *Example) CheckEngine(t *testing.T, args []string) (want string) {
	t.Helper()
	if len(args) < 2 || args[0] != "-engine" {
		return ""
	}
	want = args[1]
	if env := os.Getenv("NETRING_ENGINE"); env != "" && env != "auto" {
		want = env
	}
	if e.Engine != want {
		t.Errorf("%v: the example reports the engine %q, want %s", args, e.Engine, want)
	}
	return want
}

// try runs the command that the example suggests, if it is one of curl and curl exists
// here.
func (e *Example) try(t *testing.T) {
	t.Helper()
	if !strings.HasPrefix(e.Try, "curl ") {
		return
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Logf("not tried: %s: %v", e.Try, err)
		return
	}
	if out, err := exec.Command("sh", "-c", e.Try).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", e.Try, err, out)
	}
}

// PID returns the number of the example's process.
func (e *Example) PID() int { return e.cmd.Process.Pid }

// Signal sends a signal to the example.
func (e *Example) Signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := e.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// WaitUntilRefused waits until the example listens no more.
func (e *Example) WaitUntilRefused(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		c, err := net.Dial("tcp", e.Addr)
		switch {
		case err == nil:
			c.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			return
		case !errors.Is(err, syscall.ECONNRESET): // it connected while the listener was closed
			t.Fatal(err)
		}
	}
	t.Fatalf("%s still accepts connections", e.Addr)
}

// Stop ends the example with a signal and checks how it ends. It returns what the example
// has written to its standard error.
func (e *Example) Stop(t *testing.T, sig os.Signal) (stderr string) {
	t.Helper()
	e.Signal(t, sig)
	return e.Wait(t)
}

// Wait is Stop for an example that has got its signal.
func (e *Example) Wait(t *testing.T) (stderr string) {
	t.Helper()
	rest, stderr, err := e.End(t)
	if err != nil || rest != "shut down\n" {
		t.Errorf("the example ended with %v and printed %q, %s", err, rest, stderr)
	}
	return stderr
}

// End waits until the example and the processes that it has started end. It returns what
// they have printed since Start, and how the example ended.
func (e *Example) End(t *testing.T) (stdout, stderr string, err error) {
	t.Helper()
	kill := time.AfterFunc(endTimeout, func() { e.cmd.Process.Kill() })
	defer kill.Stop()
	rest, err := io.ReadAll(e.out)
	if err != nil {
		t.Fatal(err)
	}
	err = e.cmd.Wait()
	return string(rest), e.stderr.String(), err
}

// Refuses checks that an example that cmd runs fails at once, and says so with want, such
// as the wrong value.
func Refuses(t *testing.T, cmd *exec.Cmd, want string) {
	t.Helper()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(endTimeout, func() { cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	if cmd.ProcessState.ExitCode() <= 0 || !strings.Contains(out.String(), want) {
		t.Errorf("%q: %v, the example prints %q, want a failure with %q", cmd.Args[1:], err, out.String(), want)
	}
}
