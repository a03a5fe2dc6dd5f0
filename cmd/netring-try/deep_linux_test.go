package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// requireEngine skips the test where io_uring is refused, and only there.
func requireEngine(t *testing.T, name string) {
	t.Helper()
	if name != "uring" {
		return
	}
	const setup = 425 // SYS_IO_URING_SETUP; without parameters it fails in any case
	if _, _, errno := syscall.Syscall(setup, 1, 0, 0); errno == syscall.EPERM || errno == syscall.ENOSYS {
		t.Skipf("io_uring is refused here: %v", errno)
	}
}

// toolchains runs f with the environment for each known version of Go. Their toolchains are in
// the module cache, where the go command allows no overlay.
func toolchains(t *testing.T, f func(t *testing.T, env string)) {
	for _, version := range []string{go125, go126} {
		t.Run(version, func(t *testing.T) {
			env := "GOTOOLCHAIN=" + version
			cmd := exec.Command("go", "version")
			cmd.Env = append(os.Environ(), env)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Skipf("no toolchain %s: it is not in the module cache, and cannot be downloaded: %v\n%s", version, err, out)
			}
			f(t, env)
		})
	}
}

// runSockets runs the program of socketsDir and returns what it prints, and the counters that it
// has written, if any.
func runSockets(t *testing.T, program, engine string) (stdout string, r report, found bool) {
	t.Helper()
	stats := filepath.Join(t.TempDir(), "stats")
	p := newProcess(t, ".", program)
	p.Env = append(p.Env, "NETRING_ENGINE="+engine, statsEnv+"="+stats)
	p.start(t)
	if status := p.end(t); status != 0 || p.stderr.Len() > 0 {
		t.Fatalf("the program with engine %s: exit status %d\n%s%s", engine, status, p.stdout.String(), p.stderr.String())
	}
	r, found, err := readReport(stats)
	if err != nil {
		t.Fatal(err)
	}
	return p.stdout.String(), r, found
}

// sameOnAllEngines runs the program of socketsDir, built in deep mode, on each engine. It must
// print the text, and its connections must be on reactors.
func sameOnAllEngines(t *testing.T, program, want string) {
	t.Helper()
	for _, engine := range []string{"uring", "syscall", "net"} {
		t.Run(engine, func(t *testing.T) {
			requireEngine(t, engine)
			got, r, found := runSockets(t, program, engine)
			if got != want {
				t.Errorf("the program printed\n%s\nand on package net\n%s", got, want)
			}
			if open, ok := r.Stats["open"]; !found || !r.Deep || r.Engine != engine || !ok || open != 0.0 {
				t.Errorf("the report is %+v, want one of deep mode with the engine %s and no open socket", r, engine)
			}
			served := r.Sockets > 200 && r.count("reactors") > 0 && r.count("ops") > 1000 && r.count("bytes_in") > 1e6
			if served != (engine != "net") {
				t.Errorf("the reactors did not serve the program's sockets as %s should: %+v", engine, r)
			}
		})
	}
}

// TestDeepSockets checks that a program that uses sockets in many ways prints the same in deep
// mode as on package net.
func TestDeepSockets(t *testing.T) {
	toolchains(t, func(t *testing.T, env string) {
		dir := t.TempDir()
		plain, ring := filepath.Join(dir, "plain"), filepath.Join(dir, "deep")
		build := exec.Command("go", "build", "-o", plain, ".")
		build.Dir, build.Env = socketsDir, append(os.Environ(), env)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		want, _, found := runSockets(t, plain, "")
		if strings.Count(want, "\n") < 80 || found {
			t.Fatalf("the program on package net has written counters (%v) or printed too little: %q", found, want)
		}
		builds := []string{""}
		if !testing.Short() { // it builds the standard library once more
			builds = append(builds, "-race")
		}
		for _, flag := range builds {
			args := append(append([]string{"build", "-deep", "-o", ring}, strings.Fields(flag)...), ".")
			p := tryCommand(t, socketsDir, args...)
			p.Env = append(p.Env, env)
			p.start(t)
			if status := p.end(t); status != 0 {
				t.Fatalf("%q: exit status %d\n%s", args, status, p.stderr.String())
			}
			t.Run("build"+flag, func(t *testing.T) { sameOnAllEngines(t, ring, want) })
		}
	})
}

// TestDeepStandardLibrary runs the standard library's own tests of sockets. The whole suites are
// too long for here; docs/deep.md has the commands.
func TestDeepStandardLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs tests of package net")
	}
	for _, engine := range []string{"uring", "syscall"} {
		t.Run(engine, func(t *testing.T) {
			requireEngine(t, engine)
			for pkg, run := range map[string]string{
				"net": "^Test(TCP|Unix|Conn|Close|Read|Write|Accept|Splice|Sendfile|SendFile|File|Raw|Various|Buffers|Listen|Mul?tipath|MPTCP|Half|Not|Dial(Timeout|TCP|Parallel|Local))",
				"os":  "^Test(GetPollFDAndNetwork|SendFile|SpliceFile)$",
			} {
				p := tryCommand(t, t.TempDir(), "test", "-deep", "-short", "-count=1", "-v", "-run", run, pkg)
				p.Env = append(p.Env, "NETRING_ENGINE="+engine, "NETRING_DEEP_STATS=1")
				p.start(t)
				status := p.end(t)
				out := p.stdout.String() + p.stderr.String()
				if status != 0 {
					t.Errorf("%s: exit status %d\n%s", pkg, status, failures(out))
				}
				if !strings.Contains(out, "\n--- PASS: ") || !strings.Contains(out, "netring: deep mode: engine="+engine) {
					t.Errorf("%s: no test has passed on the reactors:\n%s", pkg, out)
				}
			}
		})
	}
}

// failures returns what go test says of failures.
func failures(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(strings.TrimSpace(line), "--- PASS") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// echo is a program that needs package net's types. It has a test, too.
const echo = `
-- go.mod --
module example.com/deep

go 1.25.0
-- main.go --
package main

import (
	"fmt"
	"io"
	"net"
)

func main() {
	if _, err := net.ListenPacket("udp", "127.0.0.1:0"); err != nil { // no reactor's
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			fmt.Fprint(c, word)
			(&net.Buffers{[]byte(" "), []byte("\n")}).WriteTo(c)
			c.Close()
		}
	}()
	c, err := l.(*net.TCPListener).AcceptTCP()
	if err != nil {
		panic(err)
	}
	text, err := io.ReadAll(c) // what the client has closed has been counted
	fmt.Printf("read %q %v\n", text, err)
}
-- word.go --
package main

const word = "hello"
-- main_test.go --
package main

import "testing"

func TestProgram(*testing.T) { main() }
-- other.txt --
package main

const word = "bonjour"
-- overlay.json --
{"Replace": {"word.go": "other.txt"}}
`

// TestDeep runs, builds and tests with -deep and the other flags.
func TestDeep(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, echo)
	const (
		hello  = `read "hello \n" <nil>`
		served = "netring: deep mode: engine="
		stats  = "  connections 2, engine "
	)
	name := `a"\` + "\n" + `b` // for the counters, which have the program's name
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"run", "-deep", "."}, []string{hello, served}},
		{[]string{"run", "-deep", "-dial", "main.go", "word.go"}, []string{hello, served}},
		{[]string{"run", "-deep", "-stats", "."}, []string{hello, served, stats, "bytes in 7, out 7\n"}},
		{[]string{"run", "-deep", "-overlay", "overlay.json", "."}, []string{`read "bonjour \n" <nil>`, served}},
		{[]string{"test", "-deep", "-count=1", "-v", "."}, []string{hello, served, "--- PASS"}},
		{[]string{"build", "-deep", "-o", name, "."}, nil},
	} {
		p := tryCommand(t, dir, test.args...)
		p.Env = append(p.Env, "NETRING_DEEP_STATS=1")
		p.start(t)
		status := p.end(t)
		out := p.stdout.String() + p.stderr.String()
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%q: no %q in\n%s", test.args, want, out)
			}
		}
		if status != 0 {
			t.Errorf("%q: exit status %d\n%s", test.args, status, out)
		}
	}
	p := newProcess(t, dir, filepath.Join(dir, name))
	file := filepath.Join(dir, "stats")
	p.Env = append(p.Env, statsEnv+"="+file, "NETRING_ENGINE=turbo")
	p.start(t)
	p.end(t)
	if r, _, err := readReport(file); err != nil || r.Program != p.Path || r.PID != p.Process.Pid || r.Engine != "net" ||
		r.EngineReason != `NETRING_ENGINE is "turbo"; use auto, uring, syscall or net` {
		t.Errorf("report %+v, %v; want the program %q, the engine net and the reason", r, err, p.Path)
	}
}

// TestDeepCompare measures a program on package net and in deep mode.
func TestDeepCompare(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	p := tryCommand(t, serverDir, "compare", "-deep", "-rounds", "3", ".", "-addr", address, "--", self)
	p.Env = append(p.Env, loadEnv+"=http://"+address+"/")
	p.start(t)
	if status := p.end(t); status != 0 {
		t.Fatalf("exit status %d\n%s%s", status, p.stdout.String(), p.stderr.String())
	}
	for _, want := range []string{"deep/net", "requests/s", "Median of 3 rounds", "netring in the last round:\n  connections ", "operations: "} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, p.stdout.String())
		}
	}
	if !strings.Contains(p.stderr.String(), "round 3 of 3, deep ") || !strings.Contains(p.stderr.String(), "round 3 of 3, net ") {
		t.Errorf("a round lacks a variant:\n%s", p.stderr.String())
	}
}

// TestDeepArchitectures builds package net for architectures whose system calls differ.
func TestDeepArchitectures(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds package net for each")
	}
	for _, arch := range []string{"386", "arm", "arm64", "riscv64"} {
		p := tryCommand(t, serverDir, "build", "-deep", "-o", filepath.Join(t.TempDir(), "x"), ".")
		p.Env = append(p.Env, "GOARCH="+arch, "CGO_ENABLED=0")
		p.start(t)
		if status := p.end(t); status != 0 {
			t.Errorf("%s: exit status %d\n%s", arch, status, p.stderr.String())
		}
	}
}
