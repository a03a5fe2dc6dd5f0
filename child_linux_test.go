package netring

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// child returns a command that runs only the test t of this test binary, as a child
// process. In the child, isChild reports true and returns args.
func child(t *testing.T, args string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe, "-test.run", "^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v=false")
	cmd.Env = append(os.Environ(), "NETRING_TEST_CHILD="+args)
	return cmd
}

// serverChildren runs f with a child process that is a server, for each kind of server
// of childStack. The child prints its address, and must end at the end of its standard
// input. pid is the child's process id.
func serverChildren(t *testing.T, env []string, f func(t *testing.T, addr string, pid int)) {
	for _, kind := range []string{"net", "uring", "syscall"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "uring" {
				newPoller(t, Config{Engine: EngineURing}) // skips the test where io_uring is refused
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

// childStack returns the stack of a server of the given kind.
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
