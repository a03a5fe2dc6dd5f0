package deep

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What Overlay does not know, it refuses, and says so.
func TestOverlayRefuses(t *testing.T) {
	good := current(t).config(t)
	for _, test := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.GoVersion = "go1.24.3" }, `not "go1.24.3"`},
		{func(c *Config) { c.GoVersion = "go1.27.0" }, "deep mode knows go1.25 and go1.26"},
		{func(c *Config) { c.GoVersion = "go1.260.1" }, `not "go1.260.1"`},
		{func(c *Config) { c.GoVersion = "devel go1.26-abc" }, "GOTOOLCHAIN"},
		{func(c *Config) { c.GOOS = "windows" }, `GOOS is "windows"`},
		{func(c *Config) { c.GOROOT = t.TempDir() }, "no such file"},
		{func(c *Config) { c.Modules.Netring = t.TempDir() }, "read package github.com/netring-go/netring/bufring"},
		{func(c *Config) { c.Modules.IOURing = "" }, "read package github.com/iceber/iouring-go/syscall"},
	} {
		cfg := good
		test.change(&cfg)
		if files, err := Overlay(cfg); err == nil || !strings.Contains(err.Error(), test.want) || files != nil {
			t.Errorf("%+v: %v, want %q", cfg, err, test.want)
		}
	}
}

// A toolchain whose sources look different is refused.
func TestRewriteRefuses(t *testing.T) {
	src := filepath.Join(current(t).config(t).GOROOT, "src")
	for _, test := range []struct{ file, old, new, want string }{
		{pollRuntime, "runtimeCtx uintptr", "runtimeCtx uintptr\n\tmore int", "pollDesc should be"},
		{pollRuntime, "type pollDesc struct", "type desc struct", "pollDesc should be"},
		{pollRuntime, ") evict() {", ") throwOut() {", "(*pollDesc).evict: there is no such function"},
		{pollRuntime, ") wait(mode int, isFile bool) error {", ") wait(mode int) error {", "it is func(mode int) error"},
		{pollUnix, "fd.pd.prepareRead(fd.isFile)", "fd.pd.ready(fd.isFile)", "should call prepareRead in one statement"},
		{pollUnix, "defer fd.writeUnlock()", "", "should call writeUnlock before prepareWrite"},
		{netUnix, "connect(ctx context.Context, la,", "connect(la,", "(*netFD).connect: it is"},
	} {
		text, err := os.ReadFile(filepath.Join(src, filepath.FromSlash(test.file)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rewrite(test.file, text); err != nil {
			t.Fatalf("unchanged: %v", err)
		}
		changed := strings.ReplaceAll(string(text), test.old, test.new)
		if changed == string(text) {
			t.Fatalf("%s has no %q", test.file, test.old)
		}
		if _, err := rewrite(test.file, []byte(changed)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s with %q: %v, want %q", test.file, test.new, err, test.want)
		}
	}
}

// A new user of the netpoller's handle is found, unless it is not for Linux.
func TestCheckUses(t *testing.T) {
	for name, refused := range map[string]bool{"new.go": true, "new_linux.go": true, "new_darwin.go": false, "new_test.go": false} {
		dir := t.TempDir()
		text := "package poll\n\nfunc (pd *pollDesc) novel() bool { return pd.runtimeCtx == 0 }\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := checkUses(dir)
		if (err != nil) != refused || refused && !strings.Contains(err.Error(), "(*pollDesc).novel uses runtimeCtx") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMayBuild(t *testing.T) {
	for line, want := range map[string]bool{
		"":                                     true,
		"//go:build linux":                     true,
		"//go:build !linux":                    false,
		"//go:build race":                      true,
		"//go:build !race && arm64":            false,
		"//go:build gccgo && linux":            false,
		"//go:build (darwin || linux) && gc":   true,
		"//go:build !(amd64 || 386)":           false,
		"//go:build unix && !windows && arm64": false,
	} {
		if got := mayBuild([]byte(line+"\n\npackage p\n"), "amd64"); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
	for name, want := range map[string]bool{
		"fd.go": false, "fd_linux.go": false, "fd_darwin.go": true, "fd_linux_arm64.go": true,
		"fd_linux_amd64.go": false, "linux.go": false, "fd_unsafe_linux.go": false, "windows.go": false,
	} {
		if got := foreignName(name, "amd64"); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// An unknown function without a body, and an unknown import, are refused.
func TestPackagesRefuse(t *testing.T) {
	_, err := replaceAssembly("a.go", []byte("package unix\n\nfunc Novel()\n"))
	if err == nil || !strings.Contains(err.Error(), "Novel is implemented in assembly") {
		t.Errorf("replaceAssembly: %v", err)
	}
	_, err = moveImports("a.go", []byte("package p\n\nimport \"example.com/x\"\n"))
	if err == nil || !strings.Contains(err.Error(), "imports example.com/x") {
		t.Errorf("moveImports: %v", err)
	}
	got, err := moveImports("a.go", []byte("package p\n\nimport (\n\t\"net\"\n\t\"golang.org/x/sys/unix\"\n)\n"))
	const want = "package p\n\nimport (\n\t\"internal/netring/net\"\n\t\"internal/netring/sys/unix\"\n)\n"
	if string(got) != want || err != nil {
		t.Errorf("moveImports: %q, %v", got, err)
	}
}

// Files of one name stay apart.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{"/a/x.go": []byte("one"), "/b/x.go": []byte("two")}
	path, err := Write(dir, files)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var index struct{ Replace map[string]string }
	if err := json.Unmarshal(text, &index); err != nil || len(index.Replace) != len(files) {
		t.Fatalf("%s, %v", text, err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(index.Replace[name]); string(got) != string(want) || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := Write(filepath.Join(dir, "missing"), files); err == nil {
		t.Error("Write into a missing directory succeeds")
	}
}

func TestWithin(t *testing.T) {
	for path, want := range map[string]bool{"/m/a": true, "/m": true, "/mm/a": false, "/": false, "/m/..a": true} {
		if got := within(path, "/m"); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	if within("/a", "") {
		t.Error("without a module cache, everything is in it")
	}
}
