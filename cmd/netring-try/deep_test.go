package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeep runs, builds and tests with -deep: package net's own types, served by reactors.
func TestDeep(t *testing.T) {
	const served = "netring: deep mode: engine="
	dir := t.TempDir()
	writeFiles(t, dir, `
-- go.mod --
module example.com/deep

go 1.25.0
-- main.go --
package main

import (
	"fmt"
	"net"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			fmt.Fprintln(c, "hello")
			c.Close()
		}
	}()
	c, err := l.(*net.TCPListener).AcceptTCP()
	if err != nil {
		panic(err)
	}
	var word string
	_, err = fmt.Fscan(c, &word)
	fmt.Println("read", word, err)
}
-- main_test.go --
package main

import "testing"

func TestProgram(*testing.T) { main() }
`)
	command := func(args ...string) *process {
		p := tryCommand(t, dir, args...)
		p.Env = append(p.Env, "NETRING_DEEP_STATS=1")
		p.start(t)
		return p
	}
	for _, args := range [][]string{{"run", "-deep", "."}, {"test", "-deep", "-count=1", "-v", "."}} {
		p := command(args...)
		status := p.end(t)
		out := p.stdout.String() + p.stderr.String()
		if status != 0 || !strings.Contains(out, "read hello <nil>") || !strings.Contains(out, served) {
			t.Errorf("%q: exit status %d:\n%s", args, status, out)
		}
	}
	bin := filepath.Join(dir, "bin")
	if status := command("build", "-deep", "-o", bin, ".").end(t); status != 0 {
		t.Fatalf("build: exit status %d", status)
	}
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), "NETRING_DEEP_STATS=1")
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), served) {
		t.Errorf("built: %v\n%s", err, out)
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "-deep", "-dial", "."}, "leave -dial out"},
		{[]string{"run", "-deep", "-stats", "."}, "set NETRING_DEEP_STATS=1"},
		{[]string{"run", "-deep", "-overlay=" + filepath.Join(dir, "o"), "."}, "leave one of the two out"},
		{[]string{"compare", "-deep", ".", "--", "true"}, "compare has no -deep"},
	} {
		p := command(tc.args...)
		if status := p.end(t); status == 0 || !strings.Contains(p.stderr.String(), tc.want) {
			t.Errorf("%q: exit status %d, want an error with %q:\n%s", tc.args, status, tc.want, p.stderr.String())
		}
	}
}
