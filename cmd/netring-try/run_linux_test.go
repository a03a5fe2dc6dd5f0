package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// unixClient returns a client that connects to the socket, and does not keep connections.
func unixClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
}

var tcpClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// serve uses a server that has started: it makes requests over TCP and a unix socket.
func serve(t *testing.T, p *process, socket string) {
	t.Helper()
	p.until(t, "ready")
	var url string
	for line := range strings.Lines(p.stdout.String()) {
		if f := strings.Fields(line); f[0] == "listening" && f[1] == "tcp" {
			url = "http://" + f[2]
		}
	}
	for client, url := range map[*http.Client]string{tcpClient: url, unixClient(socket): "http://unix"} {
		if body, err := get(client, url); err != nil || body != "hello" {
			t.Fatalf("GET %s: %q, %v", url, body, err)
		}
	}
}

// awaitReport waits until the report says that connections were accepted.
func awaitReport(t *testing.T, file string, accepted float64) report {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		r, found, err := readReport(file)
		if err != nil {
			t.Fatal(err)
		}
		if found && r.count("accepted") >= accepted {
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("report after 10 s: %+v, want %v accepted connections", r, accepted)
		}
		time.Sleep(10 * time.Millisecond) // the program writes it every 100 ms
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	socket, stats := filepath.Join(dir, "socket"), filepath.Join(dir, "stats")
	p := tryCommand(t, serverDir, "run", ".", "-addr", "127.0.0.1:0", "-unix", socket)
	p.Env = append(p.Env, statsEnv+"="+stats)
	p.start(t)
	serve(t, p, socket)
	if got := strings.Count(p.stdout.String(), "*netring.Listener"); got != 2 {
		t.Errorf("%d listeners are netring's, want 2:\n%s", got, p.stdout.String())
	}
	r := awaitReport(t, stats, 2)
	if r.Listeners != 2 || r.Dials != 0 || r.PID != p.Process.Pid || r.Engine == "" || r.count("bytes_out") == 0 {
		t.Errorf("report: %+v, want 2 listeners, no dials, the process %d and bytes", r, p.Process.Pid)
	}
	p.signal(t, syscall.SIGTERM)
	if got := p.until(t, "signal: "); got != "terminated" {
		t.Errorf("the program received the signal %q", got)
	}
	if status := p.end(t); status != 3 {
		t.Errorf("exit status %d, want the program's, 3", status)
	}
}

// TestPlain shows that the program is an ordinary one: it is netring-try that makes the
// difference in TestRun.
func TestPlain(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "server")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = serverDir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	socket, stats := filepath.Join(dir, "socket"), filepath.Join(dir, "stats")
	p := newProcess(t, dir, program, "-addr", "127.0.0.1:0", "-unix", socket)
	p.Env = append(p.Env, statsEnv+"="+stats)
	p.start(t)
	serve(t, p, socket)
	if out := p.stdout.String(); !strings.Contains(out, "*net.TCPListener") || !strings.Contains(out, "*net.UnixListener") {
		t.Errorf("the listeners are not package net's:\n%s", out)
	}
	p.signal(t, syscall.SIGINT)
	p.end(t)
	if _, found, _ := readReport(stats); found {
		t.Error("the program has written counters")
	}
}

func TestRunWithStats(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "socket")
	p := tryCommand(t, serverDir, "run", "-stats", ".", "-addr", "127.0.0.1:0", "-unix", socket)
	// Without a terminal, netring-try passes on the signals.
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.start(t)
	serve(t, p, socket)
	p.signal(t, syscall.SIGINT)
	if got := p.until(t, "signal: "); got != "interrupt" {
		t.Errorf("the program received the signal %q", got)
	}
	if status := p.end(t); status != 3 {
		t.Errorf("exit status %d, want the program's, 3", status)
	}
	for _, want := range []string{"listeners 2, dialled connections 0, engine ", "accepted 2, "} {
		if !strings.Contains(p.stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, p.stderr.String())
		}
	}
}

func TestExitStatusAndInput(t *testing.T) {
	for _, args := range [][]string{{"run", "."}, {"run", "-stats", "."}, {"run", "main.go", "greeting.go"}, {"run", "-dial=true", "-tags", "x", "."}} {
		p := tryCommand(t, serverDir, append(args, "-exit", "7")...)
		p.Stdin = strings.NewReader("some words\n")
		p.start(t)
		if status := p.end(t); status != 7 || p.stdout.String() != "stdin: some words\n" {
			t.Errorf("%q: exit status %d, want 7; output %q\n%s", args, status, p.stdout.String(), p.stderr.String())
		}
	}
}

func TestKilled(t *testing.T) {
	for flags, want := range map[string]int{"-stats=false": -1, "-stats": 128 + int(syscall.SIGKILL)} {
		stats := filepath.Join(t.TempDir(), "stats")
		p := tryCommand(t, serverDir, "run", flags, ".", "-addr", "127.0.0.1:0")
		p.Env = append(p.Env, statsEnv+"="+stats)
		p.start(t)
		p.until(t, "ready")
		if err := syscall.Kill(awaitReport(t, stats, 0).PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if status := p.end(t); status != want {
			t.Errorf("%s: exit status %d after SIGKILL, want %d", flags, status, want)
		}
	}
}

func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for flags, want := range map[string]string{"-dial=false": "*net.TCPConn", "-dial": "*netring.Conn"} {
		p := tryCommand(t, serverDir, "run", flags, ".", "-dial", l.Addr().String())
		p.Stdin = strings.NewReader("input")
		p.start(t)
		if got := p.until(t, "dialled "); got != want {
			t.Errorf("%s: net.Dial returns a %s, want a %s", flags, got, want)
		}
		if status := p.end(t); status != 0 {
			t.Errorf("%s: exit status %d\n%s", flags, status, p.stderr.String())
		}
	}
}

func TestRace(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	p := tryCommand(t, serverDir, "run", "-race", ".", "-addr", "127.0.0.1:0", "-unix", socket)
	p.start(t)
	serve(t, p, socket)
	p.signal(t, syscall.SIGTERM)
	if status := p.end(t); status != 3 || strings.Contains(p.stderr.String(), "DATA RACE") {
		t.Errorf("exit status %d\n%s", status, p.stderr.String())
	}
}

func TestBuild(t *testing.T) {
	dir := t.TempDir()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOROOT", strings.TrimSpace(string(goroot))) // as under a toolchain that was downloaded
	program := filepath.Join(dir, "x")
	mustTry(t, serverDir, "build", "-o", program, ".")
	socket := filepath.Join(dir, "socket")
	p := newProcess(t, dir, program, "-addr", "127.0.0.1:0", "-unix", socket)
	p.start(t)
	serve(t, p, socket)
	if !strings.Contains(p.stdout.String(), "*netring.Listener") {
		t.Errorf("the program does not use netring:\n%s", p.stdout.String())
	}
	p.signal(t, syscall.SIGTERM)
	if status := p.end(t); status != 3 {
		t.Errorf("exit status %d, want 3", status)
	}
	// With -C, the name of the output is relative to that directory, as with go build.
	copied := copyDir(t, serverDir)
	mustTry(t, filepath.Dir(copied), "build", "-C", filepath.Base(copied), "-o", "y")
	if _, err := os.Stat(filepath.Join(copied, "y")); err != nil {
		t.Error(err)
	}
}

// TestUnchanged checks that building a program leaves no file in its directory.
func TestUnchanged(t *testing.T) {
	dir := copyDir(t, serverDir)
	before := snapshot(t, dir)
	if _, status := try(t, dir, "run", ".", "-exit", "0"); status != 0 {
		t.Fatalf("exit status %d", status)
	}
	mustTry(t, dir, "test", "./...")
	if after := snapshot(t, dir); after != before {
		t.Errorf("the program's directory was\n%s\nand is\n%s", before, after)
	}
}

func TestBuildFails(t *testing.T) {
	dir := copyDir(t, serverDir)
	writeFile(t, filepath.Join(dir, "wrong.go"), "package main\n\nvar x int = \"\"\n")
	for _, args := range [][]string{{"run", "."}, {"build", "."}, {"run", "./missing"}, {"test", "."}} {
		p, status := try(t, dir, args...)
		if status != 1 || !strings.Contains(p.stderr.String()+p.stdout.String(), "wrong.go:3") && args[1] == "." {
			t.Errorf("%q: exit status %d, want 1 and the compiler's error:\n%s%s", args, status, p.stdout.String(), p.stderr.String())
		}
	}
}

// TestOverlay checks that the program's own overlay and netring-try's are used together.
func TestOverlay(t *testing.T) {
	dir := copyDir(t, serverDir)
	writeFile(t, filepath.Join(dir, "other.txt"), "package main\n\nconst greeting = \"bonjour\"\n")
	writeFile(t, filepath.Join(dir, "overlay.json"), `{"Replace": {"greeting.go": "other.txt"}}`)
	socket := filepath.Join(t.TempDir(), "socket")
	p := tryCommand(t, dir, "run", "-overlay", "overlay.json", ".", "-unix", socket)
	p.start(t)
	p.until(t, "ready")
	if body, err := get(unixClient(socket), "http://unix"); err != nil || body != "bonjour" {
		t.Errorf("GET: %q, %v; want the overlay's text", body, err)
	}
	if !strings.Contains(p.stdout.String(), "*netring.Listener") {
		t.Errorf("the program does not use netring:\n%s", p.stdout.String())
	}
	p.signal(t, syscall.SIGTERM)
	p.end(t)
}

// TestToolchains runs and tests a program with each version of Go that netring-try knows.
func TestToolchains(t *testing.T) {
	toolchains(t, func(t *testing.T, env string) {
		p := tryCommand(t, serverDir, "run", "-dial", ".", "-addr", "127.0.0.1:0")
		p.Env = append(p.Env, env)
		p.start(t)
		if line := p.until(t, "listening tcp "); !strings.HasSuffix(line, " *netring.Listener") {
			t.Errorf("the program does not use netring: %s", line)
		}
		p.Process.Kill()
		p.end(t)
		p = tryCommand(t, testsDir, "test", "-dial", "./...")
		p.Env = append(p.Env, env, wantNetring, wantConn)
		p.start(t)
		if status := p.end(t); status != 0 {
			t.Errorf("exit status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
		}
	})
}
