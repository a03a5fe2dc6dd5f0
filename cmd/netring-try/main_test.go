package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests run netring-try as a process: this test binary, which becomes netring-try if
// runEnv is set. With loadEnv it is a load command for compare.
const (
	runEnv  = "NETRING_TRY_TEST_RUN"
	loadEnv = "NETRING_TRY_TEST_LOAD"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(loadEnv) != "" && os.Getenv(runEnv) == "":
		if err := load(os.Getenv(loadEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case os.Getenv(runEnv) != "":
		os.Unsetenv(runEnv)
		main()
		os.Exit(0)
	}
	if runtime.GOOS != "linux" {
		fmt.Println("the tests of netring-try run programs on netring, which needs Linux")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// load makes requests and prints their rate.
func load(url string) error {
	const n = 200
	start := time.Now()
	for range n {
		if _, err := get(http.DefaultClient, url); err != nil {
			return err
		}
	}
	fmt.Printf("%.1f requests/s\n", n/time.Since(start).Seconds())
	return nil
}

func get(client *http.Client, url string) (body string, err error) {
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// limit is how long a netring-try may take. At first, it builds package net and netring.
const limit = 5 * time.Minute

// process is a running program: netring-try, or what it has become.
type process struct {
	*exec.Cmd
	lines  *bufio.Scanner
	stdout strings.Builder // what has been read from lines
	stderr bytes.Buffer
	kill   *time.Timer
}

// tryCommand returns a netring-try that will run in dir.
func tryCommand(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := newProcess(t, dir, append([]string{self}, args...)...)
	p.Env = append(p.Env, runEnv+"=1")
	return p
}

func newProcess(t *testing.T, dir string, argv ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(argv[0], argv[1:]...)}
	p.Dir = dir
	p.Env = append(os.Environ(), "GOWORK=", "GOFLAGS=-buildvcs=false", statsEnv+"=")
	p.Stderr = &p.stderr
	// What the program leaves behind must not hold the test.
	p.WaitDelay = 10 * time.Second
	return p
}

func (p *process) start(t *testing.T) {
	t.Helper()
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.kill = time.AfterFunc(limit, func() { p.Process.Kill() })
	t.Cleanup(func() {
		p.kill.Stop()
		if p.ProcessState == nil {
			p.Process.Kill()
			p.Wait()
		}
	})
}

// until reads the program's output up to a line with the prefix, and returns the rest of it.
func (p *process) until(t *testing.T, prefix string) string {
	t.Helper()
	for p.lines.Scan() {
		fmt.Fprintln(&p.stdout, p.lines.Text())
		if rest, ok := strings.CutPrefix(p.lines.Text(), prefix); ok {
			return rest
		}
	}
	p.Wait()
	t.Fatalf("%v ended before it printed %q:\n%s%s", p.Args, prefix, p.stdout.String(), p.stderr.String())
	return ""
}

// end waits for the end of the program and returns its exit status, -1 if a signal has ended it.
func (p *process) end(t *testing.T) int {
	t.Helper()
	for p.lines.Scan() {
		fmt.Fprintln(&p.stdout, p.lines.Text())
	}
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

// signal sends a signal to the process that the test has started.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// try runs netring-try to its end.
func try(t *testing.T, dir string, args ...string) (p *process, status int) {
	t.Helper()
	p = tryCommand(t, dir, args...)
	p.start(t)
	return p, p.end(t)
}

// mustTry is try for a netring-try that must succeed. It returns the standard output.
func mustTry(t *testing.T, dir string, args ...string) string {
	t.Helper()
	p, status := try(t, dir, args...)
	if status != 0 {
		t.Fatalf("netring-try %q: exit status %d\n%s%s", args, status, p.stdout.String(), p.stderr.String())
	}
	return p.stdout.String()
}

// TestHelp checks that each way to ask for help prints the usage and is no error.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"-h"}, {"run", "-h"}, {"build", "-help"}, {"test", "--help"}, {"compare", "-h"}} {
		var out strings.Builder
		if err := run(args, &out); err != nil || !strings.Contains(out.String(), "Usage: netring-try command") {
			t.Errorf("%q: %v, printed %q", args, err, out.String())
		}
	}
}
