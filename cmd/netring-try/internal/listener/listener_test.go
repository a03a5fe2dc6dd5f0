package listener

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

// goroot returns the root of the toolchain that runs the test.
func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// change returns the Tree of the toolchain, without what the tests add, with a change in
// net/dial.go.
func change(t *testing.T, old, changed string) *overlay.Tree {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(goroot(t), "src", "net", "dial.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(src), old) {
		t.Fatalf("net/dial.go has no %q", old)
	}
	tree := overlay.NewTree(t.TempDir(), nil)
	tree.Write(tree.Src("net", "dial.go"), []byte(strings.Replace(string(src), old, changed, 1)))
	return tree
}

// apply runs the layers of the mode and returns net/dial.go.
func apply(t *testing.T, tree *overlay.Tree, dials bool) (string, error) {
	t.Helper()
	for _, layer := range Mode(dials).Layers {
		if err := layer(tree); err != nil {
			return "", err
		}
	}
	src, err := tree.Read(tree.Src("net", "dial.go"))
	return string(src), err
}

// The mode calls the hooks in package net of the toolchain in use, and changes nothing else.
func TestMode(t *testing.T) {
	before, err := os.ReadFile(filepath.Join(goroot(t), "src", "net", "dial.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dials := range []bool{false, true} {
		tree := change(t, "", "")
		got, err := apply(t, tree, dials)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(string(before), listen.Func+" {", listen.Func+" { "+listen.Text+"; ", 1)
		if dials {
			want = strings.Replace(want, dial.Func+" {", dial.Func+" { "+dial.Text+"; ", 1)
		}
		if got != want {
			t.Errorf("with dials %v, net/dial.go is\n%s", dials, got)
		}
		for _, name := range []string{"net/netring_try.go", "netringtry/hook/hook.go", "netringtry/hook/stats.go"} {
			if src, err := tree.Read(tree.Src(filepath.FromSlash(name))); err != nil || strings.Contains(string(src), "go:build") {
				t.Errorf("%s: %v\n%s", name, err, src)
			}
		}
	}
}

// A package net that looks different is refused.
func TestModeRefuses(t *testing.T) {
	for _, test := range []struct {
		old, changed string
		fails        [2]bool // without dials, and with them
	}{
		{"func (lc *ListenConfig) Listen(", "func (lc ListenConfig) Listen(", [2]bool{true, true}},
		{"func (lc *ListenConfig) Listen(ctx ", "func (lc *ListenConfig) Listen(c ", [2]bool{true, true}},
		{"func (d *Dialer) DialContext(ctx ", "func (d *Dialer) DialContext(extra int, ctx ", [2]bool{false, true}},
		{"func (d *Dialer) DialContext(", "func (d *Dialer) dialContext(", [2]bool{false, true}},
	} {
		for i, want := range test.fails {
			_, err := apply(t, change(t, test.old, test.changed), i == 1)
			if (err != nil) != want || want && !strings.Contains(err.Error(), "net/dial.go has no declaration func (") {
				t.Errorf("%q with dials %v: %v", test.changed, i == 1, err)
			}
		}
	}
}

// The hook is imported into programs and tests.
func TestLink(t *testing.T) {
	root, dir := goroot(t), t.TempDir()
	tree := overlay.NewTree(root, nil)
	for _, layer := range []overlay.Layer{
		LinkTests, LinkTested(filepath.Join(dir, "in"), "p", true, false), LinkTested(filepath.Join(dir, "x"), "p", false, true), LinkMain(dir),
	} {
		if err := layer(tree); err != nil {
			t.Fatal(err)
		}
	}
	for name, pkg := range map[string]string{
		tree.Src("testing", "internal", "testdeps", linkName): "testdeps",
		filepath.Join(dir, "in", linkTestName):                "p",
		filepath.Join(dir, "x", linkXTestName):                "p_test",
		MainLink(dir):                                         "main",
	} {
		want := "package " + pkg + "\n\nimport _ \"netringtry/hook\"\n"
		if got, err := tree.Read(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{filepath.Join(dir, "in", linkXTestName), filepath.Join(dir, "x", linkTestName)} {
		if _, err := tree.Read(name); !os.IsNotExist(err) {
			t.Errorf("%s: %v, want no such file", name, err)
		}
	}
}

func TestLinkRefuses(t *testing.T) {
	dir := t.TempDir()
	names := []string{linkName, linkTestName, linkXTestName}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for i, layer := range []overlay.Layer{LinkMain(dir), LinkTested(dir, "p", true, false), LinkTested(dir, "p", false, true)} {
		err := layer(overlay.NewTree(goroot(t), nil))
		if err == nil || !strings.Contains(err.Error(), names[i]+" exists; netring-try needs this file name") {
			t.Errorf("with %s: %v", names[i], err)
		}
	}
	err := LinkTests(overlay.NewTree(dir, nil))
	if err == nil || !strings.Contains(err.Error(), "has no package testing/internal/testdeps") {
		t.Errorf("LinkTests with another toolchain: %v", err)
	}
}
