package netring

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// child runs this test binary again, to run only the test t, which tells by
// isChild that it is the child. args are passed in the environment.
func child(t *testing.T, args string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe, "-test.run", "^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v=false")
	cmd.Env = append(os.Environ(), "NETRING_TEST_CHILD="+args)
	return cmd
}

// serverChildren runs f with a child that is a server, for each kind of server that
// childStack knows. The child prints its address, and ends with its input. pid is the
// child's.
func serverChildren(t *testing.T, env []string, f func(t *testing.T, addr string, pid int)) {
	for _, kind := range []string{"net", "uring", "syscall"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "uring" {
				newPoller(t, Config{Engine: EngineURing}) // skips where there is none
			}
			cmd := child(t, kind)
			cmd.Env = append(cmd.Env, env...)
			in, err := cmd.StdinPipe()
			must(t, err)
			out, err := cmd.StdoutPipe()
			must(t, err)
			cmd.Stderr = os.Stderr
			must(t, cmd.Start())
			defer func() {
				must(t, in.Close())
				if err := cmd.Wait(); err != nil {
					t.Errorf("the server: %v", err)
				}
			}()
			var addr string
			_, err = fmt.Fscan(out, &addr)
			must(t, err)
			f(t, addr, cmd.Process.Pid)
		})
	}
}

// childStack is what a server of the given kind uses.
func childStack(t *testing.T, kind string) *stack {
	s := &stack{name: kind}
	switch kind {
	case "uring":
		s.poller = newPoller(t, Config{Engine: EngineURing})
	case "syscall":
		s.poller = newPoller(t, Config{Engine: EngineSyscall})
	}
	return s
}

func isChild() (args string, ok bool) { return os.LookupEnv("NETRING_TEST_CHILD") }
