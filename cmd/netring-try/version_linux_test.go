package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

// TestOwnVersion runs netring-try as `go run` does with a version, from a module proxy made of
// files. That allows no replace directive in its go.mod, and netring-try must get the netring of
// its version, be it a release or a pseudo-version.
func TestOwnVersion(t *testing.T) {
	root, ok := checkout()
	if !ok {
		t.Fatal("the tests do not run in a checkout of netring")
	}
	const (
		own           = overlay.Module + "/cmd/netring-try"
		release       = "v0.98.7"
		ownPseudo     = "v0.98.8-0.20260102030405-abcdef123456"
		netringPseudo = "v0.0.0-20260102030405-abcdef123456" // of the same commit
	)
	proxy, dir := t.TempDir(), t.TempDir()
	writeFiles(t, dir, echo)
	for path, version := range map[string]string{release: release, ownPseudo: netringPseudo} {
		writeProxy(t, proxy, filepath.Join(root, "cmd", "netring-try"), own, path)
		writeProxy(t, proxy, root, overlay.Module, version)
	}
	// The latest netring is of no use. The go command downloads what could have package
	// cmd/netring-try, so what is in the module cache does not prove which one was used.
	empty := t.TempDir()
	writeFile(t, filepath.Join(empty, "go.mod"), "module "+overlay.Module+"\n")
	writeProxy(t, proxy, empty, overlay.Module, "v0.99.0")
	// What a proxy answers when asked for a commit.
	writeFile(t, filepath.Join(proxy, overlay.Module, "@v", "abcdef123456.info"), `{"Version": "`+netringPseudo+`"}`)
	env, modcache := proxyEnv(t, proxy)
	for _, test := range []struct{ version, netring, mode, want string }{
		{release, release, "-deep", "  connections 2, engine "},
		{ownPseudo, netringPseudo, "-dial", "  listeners 1, dialled connections 1, engine "},
	} {
		file := "main.go" // of echo, which needs package net's types
		if test.mode == "-dial" {
			file = "plain.go"
			writeFile(t, filepath.Join(dir, file), strings.Replace(fileText(t, filepath.Join(dir, "main.go")), "(*net.TCPListener).AcceptTCP", "Accept", 1))
		}
		p := newProcess(t, dir, "go", "run", own+"@"+test.version, "run", "-stats", test.mode, file, "word.go")
		p.Env = append(p.Env, env...)
		p.start(t)
		if status := p.end(t); status != 0 || !strings.Contains(p.stdout.String(), `read "hello`) || !strings.Contains(p.stderr.String(), test.want) {
			t.Errorf("%s %s: exit status %d, want 0 and %q\n%s%s", test.version, test.mode, status, test.want, p.stdout.String(), p.stderr.String())
		}
		if _, err := os.Stat(filepath.Join(modcache, overlay.Module+"@"+test.netring)); err != nil {
			t.Errorf("%s has not used netring %s: %v", test.version, test.netring, err)
		}
	}
}
