package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// get returns what the server behind dial answers.
func get(t *testing.T, dial func() (net.Conn, error)) (body string) {
	t.Helper()
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial() }}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Get("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func dialer(network, addr string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return net.Dial(network, addr) }
}

// Without systemd, the example listens itself, also if the environment has descriptors
// for another process.
func TestExample(t *testing.T) {
	t.Setenv(envPID, "1")
	t.Setenv(envFDs, "1")
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		if got := get(t, dialer("tcp", e.Addr)); got != "Hello from the socket of its own!\n" {
			t.Errorf("it serves %q", got)
		}
	})
}

// activated returns the command that runs the example as systemd does: with the
// descriptors from 3 on, and variables that say so.
func activated(t *testing.T, files []*os.File, names string, args ...string) *exec.Cmd {
	t.Helper()
	direct := exampletest.Command(t, args...)
	// The shell knows the number that the process will have.
	cmd := exec.Command("sh", append([]string{"-c", envPID + `=$$ exec "$0" "$@"`}, direct.Args...)...)
	cmd.Env = append(direct.Env, fmt.Sprintf("%s=%d", envFDs, len(files)), envNames+"="+names)
	cmd.ExtraFiles = files
	return cmd
}

// sockets returns the descriptors of a TCP socket and a unix socket that listen. Nobody
// accepts their connections yet.
func sockets(t *testing.T) (files []*os.File, tcp, unix string) {
	t.Helper()
	unix = filepath.Join(t.TempDir(), "socket")
	for _, addr := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", unix}} {
		ln, err := net.Listen(addr[0], addr[1])
		if err != nil {
			t.Fatal(err)
		}
		if ul, ok := ln.(*net.UnixListener); ok {
			ul.SetUnlinkOnClose(false)
		} else {
			tcp = ln.Addr().String()
		}
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		files = append(files, f)
	}
	return files, tcp, unix
}

func TestActivation(t *testing.T) {
	exampletest.Each(t, func(t *testing.T, args []string) {
		files, tcp, unix := sockets(t)
		early, err := net.Dial("tcp", tcp) // the client for whom systemd starts the program
		if err != nil {
			t.Fatal(err)
		}
		defer early.Close()
		e := exampletest.Start(t, activated(t, files, "web:admin", args...))
		e.CheckEngine(t, args)
		if want := []string{tcp, unix}; !slices.Equal(e.Addrs, want) {
			t.Errorf("it listens on %q, want %q", e.Addrs, want)
		}
		checkOnce(t, e.PID())
		if got := get(t, func() (net.Conn, error) { return early, nil }); got != "Hello from the socket web!\n" {
			t.Errorf("the first client reads %q", got)
		}
		if got := get(t, dialer("tcp", tcp)); got != "Hello from the socket web!\n" {
			t.Errorf("the TCP socket serves %q", got)
		}
		if got := get(t, dialer("unix", unix)); got != "Hello from the socket admin!\n" {
			t.Errorf("the unix socket serves %q", got)
		}
		e.Stop(t, syscall.SIGTERM)
		// systemd still listens: the next client waits for the next process.
		for network, addr := range map[string]string{"tcp": tcp, "unix": unix} {
			c, err := net.Dial(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
	})
}

// checkOnce checks that a process has no two descriptors of the same socket.
func checkOnce(t *testing.T, pid int) {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, link := range links {
		what, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(what, "socket:") { // closed meanwhile
			continue
		}
		if before, ok := seen[what]; ok {
			t.Errorf("%s and %s are both %s", before, link, what)
		}
		seen[what] = link
	}
	if len(seen) < 2 {
		t.Errorf("the process has the sockets %v, want 2", seen)
	}
}

// A descriptor that is no socket is an error that names the descriptor.
func TestNoSocket(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	exampletest.Refuses(t, activated(t, []*os.File{null}, "web"), `descriptor 3, "web"`)
}

func TestVariables(t *testing.T) {
	for _, tc := range []struct {
		pid, fds, names string
		want            []string
		err             string // part of the error
	}{
		{"", "", "", nil, ""},
		{"8", "2", "web:admin", nil, ""},
		{"7", "0", "", nil, ""},
		{"7", "2", "web:admin", []string{"web", "admin"}, ""},
		{"7", "2", "", []string{"unknown", "unknown"}, ""},
		{"7", "1", "web:admin", nil, `"web:admin"; it must name 1 descriptors`},
		{"7", "many", "", nil, `"many"`},
		{"7", "-1", "", nil, `"-1"`},
	} {
		env := map[string]string{envPID: tc.pid, envFDs: tc.fds, envNames: tc.names}
		names, err := activation(func(name string) string { return env[name] }, 7)
		if !slices.Equal(names, tc.want) || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%v: %q, %v, want %q and an error with %q", env, names, err, tc.want, tc.err)
		}
	}
}

// Programs that the example starts do not see the variables.
func TestVariablesGo(t *testing.T) {
	t.Setenv(envPID, fmt.Sprint(os.Getpid()))
	t.Setenv(envFDs, "0")
	t.Setenv(envNames, "")
	if files, err := inherited(); len(files) != 0 || err != nil {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range []string{envPID, envFDs, envNames} {
		if v, ok := os.LookupEnv(name); ok {
			t.Errorf("the environment still has %s=%s", name, v)
		}
	}
}
