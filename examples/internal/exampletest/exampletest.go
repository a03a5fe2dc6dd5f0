// Package exampletest runs an example's main function as users do: in its own process,
// until a signal ends the process.
package exampletest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asExample in the environment makes a test binary run the example.
const asExample = "NETRING_TEST_RUN_EXAMPLE"

// Main runs the tests, or the example in the processes that Run starts. TestMain calls
// Main.
func Main(m *testing.M, example func()) {
	if os.Getenv(asExample) != "" {
		example()
		return
	}
	os.Exit(m.Run())
}

var listening = regexp.MustCompile(`^listening on (\S+) with (netring, engine (\w+)|net\b)`)

// Run runs the example with each listener, engine and signal. For each, it calls use
// with the example's address, and checks which engine the example reports and that a
// signal ends the example properly. Run also checks that the example refuses wrong flags.
func Run(t *testing.T, use func(t *testing.T, addr string)) {
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
			e := start(t, tc.args)
			checkEngine(t, tc.args, e.engine)
			use(t, e.addr)
			e.stop(t, tc.sig)
		})
	}
	for _, args := range [][]string{{"-listener", "tcp"}, {"-engine", "fast"}, {"-addr", "nowhere"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) { checkRefuses(t, args) })
	}
}

// example is a running example.
type example struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	stderr *strings.Builder

	addr   string
	engine string // "" with -listener net
}

// command returns the command that runs the example with the given arguments.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asExample+"=1")
	return cmd
}

// start starts the example and waits until it listens. It skips the test where io_uring
// is refused.
func start(t *testing.T, args []string) *example {
	t.Helper()
	e := &example{cmd: command(t, append(args, "-addr", "127.0.0.1:0")...), stderr: new(strings.Builder)}
	e.cmd.Stderr = e.stderr
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(30*time.Second, func() { e.cmd.Process.Kill() })
	t.Cleanup(func() { kill.Stop() })
	e.out = bufio.NewReader(out)
	line, err := e.out.ReadString('\n')
	if err != nil {
		e.cmd.Wait()
		if strings.Contains(e.stderr.String(), "io_uring is unavailable") &&
			(strings.Contains(e.stderr.String(), "not permitted") || strings.Contains(e.stderr.String(), "not implemented")) {
			t.Skip(e.stderr.String())
		}
		t.Fatalf("the example ended: %v, %s", err, e.stderr.String())
	}
	m := listening.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("the example prints %q", line)
	}
	e.addr, e.engine = m[1], m[3]
	return e
}

// checkEngine checks that the example reports the engine that args or the environment
// ask for.
func checkEngine(t *testing.T, args []string, engine string) {
	t.Helper()
	if len(args) != 2 || args[0] != "-engine" {
		return
	}
	want := args[1]
	if env := os.Getenv("NETRING_ENGINE"); env != "" && env != "auto" {
		want = env
	}
	if engine != want {
		t.Errorf("%v: the example reports the engine %q, want %s", args, engine, want)
	}
}

// stop ends the example with a signal and checks how it ends.
func (e *example) stop(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := e.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(e.out)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.cmd.Wait(); err != nil || string(rest) != "shut down\n" {
		t.Errorf("the example ended with %v and printed %q, %s", err, rest, e.stderr.String())
	}
}

// checkRefuses checks that the example fails with the given arguments, and names the
// wrong value.
func checkRefuses(t *testing.T, args []string) {
	t.Helper()
	out, err := command(t, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), args[1]) {
		t.Errorf("%v: %v, the example prints %q", args, err, out)
	}
}
