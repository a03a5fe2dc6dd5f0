package deep

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

const known, arch = "go1.26.8", "amd64"

// toolchain returns the Tree of a copy of the toolchain that runs the test: the parts that the
// mode reads.
func toolchain(t *testing.T) *overlay.Tree {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, dir := range []string{pollDir, "net"} {
		from := filepath.Join(strings.TrimSpace(string(out)), "src", filepath.FromSlash(dir))
		names, err := filepath.Glob(filepath.Join(from, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if dir == "net" && filepath.Base(name) != "fd_unix.go" {
				continue
			}
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			write(t, root, dir+"/"+filepath.Base(name), string(src))
		}
	}
	return overlay.NewTree(root, nil)
}

// write writes a file below src of a toolchain's root.
func write(t *testing.T, root, name, text string) {
	t.Helper()
	name = filepath.Join(root, "src", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// read returns a file below src.
func read(t *testing.T, tree *overlay.Tree, name string) string {
	t.Helper()
	src, err := tree.Read(tree.Src(filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

// apply runs the mode's layers.
func apply(tree *overlay.Tree, goversion string) error {
	for _, layer := range Mode(goversion, arch).Layers {
		if err := layer(tree); err != nil {
			return err
		}
	}
	return nil
}

// The mode changes the toolchain in use, and keeps all line numbers.
func TestMode(t *testing.T) {
	tree := toolchain(t)
	before := make(map[string]string)
	for _, name := range []string{pollRuntime, pollUnix, pollWritev, netUnix} {
		before[name] = read(t, tree, name)
	}
	if err := apply(tree, known); err != nil {
		t.Fatal(err)
	}
	for _, in := range insertions {
		after := read(t, tree, in.File)
		if n := strings.Count(after, in.Text); n != 1 {
			t.Errorf("%s has %d times %q", in.File, n, in.Text)
		}
		if strings.Count(after, "\n") != strings.Count(before[in.File], "\n") {
			t.Errorf("%s has another number of lines", in.File)
		}
		_, body, _ := strings.Cut(after, in.Func+" {")
		if !strings.HasPrefix(body, " "+in.Text) && in.Before == "" {
			t.Errorf("%s does not start with %q", in.Func, in.Text)
		}
	}
	// Nothing but speed depends on this one, so no test of the behaviour would miss it.
	if src := read(t, tree, netUnix); !strings.Contains(src, "(rsa syscall.Sockaddr, ret error) { fd.pfd.NetringDialled(); ") {
		t.Errorf("connect does not say that the socket is a client's:\n%s", src)
	}
	if src := read(t, tree, pollRuntime); !strings.Contains(src, "\truntimeCtx uintptr\nring NetringFD; dialled bool }") {
		t.Errorf("pollDesc has not the fields that it should:\n%s", src)
	}
	for _, name := range []string{pollDir + "/netring.go", "net/netring.go", "netringtry/hook/hook.go", "netringtry/net/net.go"} {
		if strings.Contains(read(t, tree, name), "go:build") {
			t.Errorf("%s has a build constraint", name)
		}
	}
}

// A toolchain whose sources look different is refused.
func TestModeRefuses(t *testing.T) {
	type change struct{ file, old, changed, want string }
	changes := []change{
		{pollRuntime, "runtimeCtx uintptr", "runtimeCtx uintptr\n\tmore int", "pollDesc should be"},
		{pollRuntime, "runtimeCtx uintptr", "runtimeCtx, more uintptr", "pollDesc should be"},
		{pollRuntime, "type pollDesc struct", "type desc struct", "pollDesc should be"},
		{pollUnix, "fd.pd.prepareRead(fd.isFile)", "fd.pd.ready(fd.isFile)", "0 statements call prepareRead"},
		{pollUnix, "defer fd.writeUnlock()", "", "should call writeUnlock before prepareWrite"},
		{pollUnix, "fd.readLock()", "fd.lock()", "should call readLock before prepareRead"},
	}
	name := regexp.MustCompile(`^(func (?:\(.*?\) )?)(\w+)`)
	for _, in := range insertions { // each function with another name
		changes = append(changes, change{in.File, in.Func, name.ReplaceAllString(in.Func, "${1}new_$2"), in.File + " has no declaration " + in.Func})
	}
	for _, c := range changes {
		tree := toolchain(t)
		src := read(t, tree, c.file)
		if !strings.Contains(src, c.old) {
			t.Fatalf("%s has no %q", c.file, c.old)
		}
		write(t, tree.GOROOT, c.file, strings.ReplaceAll(src, c.old, c.changed))
		if err := apply(tree, known); err == nil || !strings.Contains(err.Error(), c.want) && !strings.Contains(err.Error(), "new use of runtimeCtx") {
			t.Errorf("%s with %q: %v, want %q", c.file, c.changed, err, c.want)
		}
	}
}

// Versions of Go that nobody has looked at are refused, though their functions look the same.
func TestModeRefusesVersions(t *testing.T) {
	for goversion, want := range map[string]bool{
		"go1.25.0": true, "go1.26.8": true, "go1.26rc1": true, "go1.26.8 X:nodwarf5": true, "go1.25": true,
		"go1.24.3": false, "go1.27.0": false, "go1.260.1": false, "devel go1.26-abc": false, "": false,
	} {
		err := apply(toolchain(t), goversion)
		if (err == nil) != want || !want && !strings.Contains(err.Error(), goversion+" is unknown to -deep") {
			t.Errorf("%q: %v", goversion, err)
		}
	}
}

// A new user of the netpoller's handle is found, unless it is not for this build.
func TestCheckUses(t *testing.T) {
	const novel = "func (pd *pollDesc) novel() bool { return pd.runtimeCtx == 0 }\n"
	for name, test := range map[string]struct {
		constraint string
		refused    bool
	}{
		"new.go":           {"", true},
		"new_linux.go":     {"", true},
		"new_amd64.go":     {"//go:build unix && !race\n\n", true},
		"new_darwin.go":    {"", false},
		"new_arm64.go":     {"", false},
		"new_test.go":      {"", false},
		"new_unix.go":      {"//go:build !linux\n\n", false},
		"new_windows_x.go": {"//go:build windows && amd64\n\n", false},
	} {
		tree := toolchain(t)
		write(t, tree.GOROOT, pollDir+"/"+name, test.constraint+"package poll\n\n"+novel)
		err := apply(tree, known)
		if (err != nil) != test.refused || test.refused &&
			!strings.Contains(err.Error(), name+" has a new use of runtimeCtx, in func (pd *pollDesc) novel() bool") {
			t.Errorf("%s: %v", name, err)
		}
	}
	tree := overlay.NewTree(t.TempDir(), nil)
	if err := apply(tree, known); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("without a toolchain: %v", err)
	}
}
