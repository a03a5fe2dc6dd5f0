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

// Run starts the example once for each way of listening and of ending, passes
// its address to use, and checks that it says which engine runs and that it shuts
// down properly.
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
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe, append(tc.args, "-addr", "127.0.0.1:0")...)
			cmd.Env = append(os.Environ(), asExample+"=1")
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			kill := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
			defer kill.Stop()
			br := bufio.NewReader(out)
			line, err := br.ReadString('\n')
			if err != nil {
				cmd.Wait()
				if strings.Contains(stderr.String(), "io_uring is unavailable") &&
					(strings.Contains(stderr.String(), "not permitted") || strings.Contains(stderr.String(), "not implemented")) {
					t.Skip(stderr.String())
				}
				t.Fatalf("the example ended: %v, %s", err, stderr.String())
			}
			m := listening.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("it says %q", line)
			}
			if len(tc.args) == 2 && tc.args[0] == "-engine" {
				want := tc.args[1]
				if env := os.Getenv("NETRING_ENGINE"); env != "" && env != "auto" {
					want = env
				}
				if m[3] != want {
					t.Errorf("%v, and it says %q, want %s", tc.args, line, want)
				}
			}
			use(t, m[1])
			if err := cmd.Process.Signal(tc.sig); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(br)
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil || string(rest) != "shut down\n" {
				t.Errorf("it ended with %v, saying %q, %s", err, rest, stderr.String())
			}
		})
	}
	for _, args := range [][]string{{"-listener", "tcp"}, {"-engine", "fast"}, {"-addr", "nowhere"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(exe, args...)
			cmd.Env = append(os.Environ(), asExample+"=1")
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), args[1]) {
				t.Errorf("%v: %v, it says %q", args, err, out)
			}
		})
	}
}
