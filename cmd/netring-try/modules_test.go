package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// serves checks that the program that p runs listens with netring, and ends it.
func serves(t *testing.T, p *process) {
	t.Helper()
	p.start(t)
	if got := p.until(t, "listener "); got != "*netring.Listener" {
		t.Errorf("net.Listen returns a %s", got)
	}
	if status := p.end(t); status != 0 {
		t.Errorf("exit status %d\n%s", status, p.stderr.String())
	}
}

// vendored is a program with a vendor directory, whose dependency is nowhere else.
const vendored = `
-- go.mod --
module example.com/vendored

go 1.21

require example.com/dependency v1.2.3
-- main.go --
package main

import (
	"fmt"

	"example.com/dependency"
)

func main() { fmt.Printf("listener %T\n", dependency.Listen()) }
-- main_test.go --
package main

import (
	"fmt"
	"testing"

	"example.com/dependency"
)

func Test(t *testing.T) { fmt.Printf("listener %T\n", dependency.Listen()) }
-- vendor/modules.txt --
# example.com/dependency v1.2.3
## explicit; go 1.21
example.com/dependency
-- vendor/example.com/dependency/dependency.go --
package dependency

import "net"

func Listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return l
}
`

func TestVendor(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, vendored)
	serves(t, tryCommand(t, dir, "run", "."))
	serves(t, tryCommand(t, dir, "run", "-mod=vendor", "."))
	serves(t, tryCommand(t, dir, "test", "-v", "."))
}

// workspace has two modules; one uses the other.
const workspace = `
-- go.work --
go 1.21

use (
	./a
	./b
)
-- a/go.mod --
module example.com/a

go 1.21
-- a/a.go --
package a

import "net"

func Listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
-- b/go.mod --
module example.com/b

go 1.21
-- b/main.go --
package main

import (
	"fmt"

	"example.com/a"
)

func main() {
	l, err := a.Listen()
	fmt.Printf("listener %T\n", l)
	if err != nil {
		panic(err)
	}
}
`

func TestWorkspace(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, workspace)
	serves(t, tryCommand(t, dir, "run", "./b"))
	serves(t, tryCommand(t, filepath.Join(dir, "a"), "run", "example.com/b"))
	serves(t, tryCommand(t, t.TempDir(), "run", "-C", filepath.Join(dir, "b"), "."))
}

// TestUser runs a program that uses netring itself. netring must get package net's listener
// from package net, and not another netring's.
func TestUser(t *testing.T) {
	dir := t.TempDir()
	root, ok := checkout()
	if !ok {
		t.Fatal("the tests do not run in a checkout of netring")
	}
	writeFiles(t, dir, `
-- main.go --
package main

import (
	"fmt"
	"net"
	"os"

	"github.com/netring-go/netring"
)

func main() {
	own, err := netring.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	if _, ok := own.(*netring.Listener); !ok {
		panic(fmt.Sprintf("%T", own))
	}
	go func() {
		c, err := netring.Dial("tcp", own.Addr().String())
		if err != nil {
			panic(err)
		}
		fmt.Fprint(c, "ping")
		c.Close()
	}()
	c, err := own.Accept()
	if err != nil {
		panic(err)
	}
	b := make([]byte, 4)
	if n, err := c.Read(b); string(b[:n]) != "ping" {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	if _, ok := l.(*netring.Listener); ok {
		panic("the two netrings are one")
	}
	fmt.Printf("listener %T\n", l)
	os.Exit(0)
}
-- go.mod --
module example.com/user

go 1.25.0

require github.com/netring-go/netring v0.0.0

replace github.com/netring-go/netring => `+root)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "go.sum"), string(sum))
	stats := filepath.Join(dir, "stats")
	p := tryCommand(t, dir, "run", "-dial", "-mod=mod", ".")
	p.Env = append(p.Env, statsEnv+"="+stats)
	serves(t, p)
	if r, _, err := readReport(stats); err != nil || r.Listeners != 1 || r.Dials != 0 {
		t.Errorf("report %+v, %v; want net.Listen's listener only", r, err)
	}
}

// hello is a module of a proxy. Its go.mod replaces another module by a directory that only its
// repository has.
const hello = `
-- go.mod --
module example.com/netring-try/hello/v2

go 1.21

require example.com/netring-try/word v1.0.0

replace example.com/netring-try/word => ../word
-- cmd/hello/main.go --
package main

import (
	"fmt"
	"net"

	"example.com/netring-try/hello/v2"
	"example.com/netring-try/word"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	fmt.Printf("listener %T\n", l)
	if err != nil || hello.Word != word.Hello {
		panic(err)
	}
}
-- hello.go --
package hello

const Word = "hello"
-- hello_test.go --
package hello

import (
	"fmt"
	"net"
	"testing"
)

func TestListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("listener %T\n", l)
}
`

// word is the module that hello needs.
const word = `
-- go.mod --
module example.com/netring-try/word

go 1.21
-- word.go --
package word

const Hello = "hello"
`

// TestVersion runs, builds and tests a package of the form path@version, from a module proxy
// made of files. Another one has what netring needs: the download cache.
func TestVersion(t *testing.T) {
	proxy, source := t.TempDir(), t.TempDir()
	const path, version = "example.com/netring-try/hello/v2", "v2.0.1"
	writeFiles(t, source, hello)
	writeProxy(t, proxy, source, path, version)
	needed := t.TempDir()
	writeFiles(t, needed, word)
	writeProxy(t, proxy, needed, "example.com/netring-try/word", "v1.0.0")
	env, _ := proxyEnv(t, proxy)
	dir := t.TempDir()
	for _, args := range [][]string{
		{"run", path + "/cmd/hello@" + version},
		{"test", "-v", path + "@latest"},
		{"test", "-v", "-count=1", path + "/...@" + version},
	} {
		p := tryCommand(t, dir, args...)
		p.Env = append(p.Env, env...)
		serves(t, p)
	}
	for _, out := range []string{"", "x"} {
		args := []string{"build", path + "/cmd/hello@" + version}
		if out != "" {
			args = []string{"build", "-o", out, path + "/cmd/hello@" + version}
		}
		p := tryCommand(t, dir, args...)
		p.Env = append(p.Env, env...)
		p.start(t)
		if status := p.end(t); status != 0 {
			t.Fatalf("%q: exit status %d\n%s", args, status, p.stderr.String())
		}
	}
	for _, name := range []string{"hello", "x"} {
		serves(t, newProcess(t, dir, filepath.Join(dir, name)))
	}
	p := tryCommand(t, dir, "run", "example.com/netring-try/hello/v2/cmd/none@"+version)
	p.Env = append(p.Env, env...)
	p.start(t)
	if status := p.end(t); status != 1 || !strings.Contains(p.stderr.String(), "has no directory cmd/none") {
		t.Errorf("a missing package: exit status %d\n%s", status, p.stderr.String())
	}
}

// writeProxy adds a module to a module proxy of files, see go.dev/ref/mod.
func writeProxy(t *testing.T, proxy, source, path, version string) {
	t.Helper()
	at := filepath.Join(proxy, filepath.FromSlash(path), "@v")
	mod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	if err := zip.CreateFromDir(&zipped, module.Version{Path: path, Version: version}, source); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(at, "list"), version+"\n")
	writeFile(t, filepath.Join(at, version+".info"), `{"Version": "`+version+`"}`)
	writeFile(t, filepath.Join(at, version+".mod"), string(mod))
	writeFile(t, filepath.Join(at, version+".zip"), zipped.String())
}

// proxyEnv returns the environment of a go command that gets modules from a proxy of files, and
// what it does not have from the download cache. It keeps them in a module cache of its own.
func proxyEnv(t *testing.T, proxy string) (env []string, modcache string) {
	t.Helper()
	old, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	modcache = t.TempDir()
	return []string{
		"GOPROXY=file://" + proxy + ",file://" + filepath.Join(strings.TrimSpace(string(old)), "cache", "download"),
		"GOSUMDB=off", "GOMODCACHE=" + modcache, "GOFLAGS=-modcacherw", "NETRING_TRY_CACHE=" + t.TempDir(),
	}, modcache
}
