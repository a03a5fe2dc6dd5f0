package overlay

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// write writes a file, and the directories that it needs, and returns its name.
func write(t *testing.T, text string, elem ...string) string {
	t.Helper()
	name := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// read returns the content of a file of a Tree.
func read(t *testing.T, tree *Tree, name string) string {
	t.Helper()
	data, err := tree.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A Tree has the files on disk, the user's overlay above them, and its own files on top.
func TestRead(t *testing.T) {
	root := t.TempDir()
	var names []string
	for _, name := range []string{"disk", "replaced", "deleted", "written"} {
		names = append(names, write(t, name, root, "src", name))
	}
	other := write(t, "other", root, "other")
	base := map[string]string{names[1]: other, names[2]: "", names[3]: other}
	tree := NewTree(root, base)
	tree.Write(names[3], []byte("mine"))
	for i, want := range map[int]string{0: "disk", 1: "other", 3: "mine"} {
		if got := read(t, tree, names[i]); got != want {
			t.Errorf("%s: %q, want %q", names[i], got, want)
		}
	}
	if _, err := tree.Read(names[2]); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), names[2]) {
		t.Errorf("reading a deleted file: %v", err)
	}
	if got := tree.Src("disk"); got != names[0] {
		t.Errorf("Src is %q, want %q", got, names[0])
	}
}

// replacements returns the content of an overlay's file.
func replacements(t *testing.T, name string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Replace map[string]string }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Replace
}

// save saves a Tree with the files and returns the overlay's name.
func save(t *testing.T, dir string, base, files map[string]string) string {
	t.Helper()
	tree := NewTree("/goroot", base)
	for name, text := range files {
		tree.Write(name, []byte(text))
	}
	name, err := tree.Save(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := tree.Save(dir); again != name || err != nil {
		t.Errorf("a Tree is saved as %s and then as %s, %v", name, again, err)
	}
	return name
}

func TestSave(t *testing.T) {
	base := map[string]string{"/user/file": "/user/replacement", "/user/deleted": ""}
	files := map[string]string{"/a/x.go": "one", "/b/x.go": "two"} // of one name
	replace := replacements(t, save(t, filepath.Join(t.TempDir(), "new"), base, files))
	if len(replace) != 4 || replace["/user/file"] != "/user/replacement" || replace["/user/deleted"] != "" {
		t.Errorf("the overlay replaces %q", replace)
	}
	for name, want := range files {
		got, err := os.ReadFile(replace[name])
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
		info, err := os.Stat(replace[name])
		if err != nil || time.Since(info.ModTime()) < time.Hour {
			t.Errorf("%s looks new to the go command: %v, %v", name, info.ModTime(), err)
		}
	}
	if len(base) != 2 {
		t.Errorf("Save has changed the user's overlay: %q", base)
	}
	if _, err := NewTree("/", nil).Save(filepath.Join(replace["/a/x.go"], "x")); err == nil {
		t.Error("Save below a file succeeds")
	}
}

// An overlay's name tells what it holds, and its time when it was used last.
func TestSaveAgain(t *testing.T) {
	dir := t.TempDir()
	base, files := map[string]string{"/user/file": "/user/replacement"}, map[string]string{"/a/x.go": "one", "/b/x.go": "two"}
	first := save(t, dir, base, files)
	if err := os.Chtimes(first, time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if again := save(t, dir, base, files); again != first {
		t.Errorf("the same Tree has two names: %s and %s", first, again)
	}
	info, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if time.Since(info.ModTime()) > time.Minute {
		t.Errorf("the overlay seems to be used last at %v", info.ModTime())
	}
	for _, other := range []map[string]string{
		{"/a/x.go": "one", "/b/x.go": "three"}, {"/a/x.go": "one", "/c/x.go": "two"}, {"/a/x.go": "one"},
	} {
		if save(t, dir, base, other) == first {
			t.Errorf("%q and %q have the same name", other, files)
		}
	}
	if save(t, dir, map[string]string{"/user/file": "/user/other"}, files) == first {
		t.Error("two overlays of the user have the same name")
	}
}

func TestShadowRoot(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	write(t, "1.26", root, "VERSION")
	write(t, "", root, "bin", "go")
	write(t, "package net", root, "src", "net", "net.go")
	write(t, "package os", root, "src", "os", "os.go")
	write(t, "not netring-try's", root, "src", Prefix, "x.go")
	var shadow string
	for range 2 { // the second time, all is there
		var err error
		if shadow, err = ShadowRoot(dir, root); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"VERSION", "bin/go", "src/net/net.go", "src/os/os.go"} {
		if _, err := os.Stat(filepath.Join(shadow, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(filepath.Join(shadow, "src", Prefix)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("src/%s is a link to the toolchain's: %v", Prefix, err)
	}
	// The directories of added packages are made in the shadow, and nowhere else.
	tree := NewTree(shadow, nil)
	files := fstest.MapFS{"src/netringtry/x/y.go": {Data: []byte(constraint + "\npackage x\n")}}
	if err := Files(files)(tree); err != nil {
		t.Fatal(err)
	}
	if got := read(t, tree, tree.Src(Prefix, "x", "y.go")); got != "\npackage x\n" {
		t.Errorf("the added file is %q", got)
	}
	if info, err := os.Stat(tree.Src(Prefix, "x")); err != nil || !info.IsDir() {
		t.Errorf("the added package has no directory: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "src", Prefix, "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the toolchain's directory was written to: %v", err)
	}
	same := filepath.Join(t.TempDir(), filepath.Base(root)) // a toolchain of the same name
	write(t, "package net", same, "src", "net", "net.go")
	if other, err := ShadowRoot(dir, same); err != nil || other == shadow {
		t.Errorf("two toolchains have the shadow %q, %v", other, err)
	}
	if _, err := ShadowRoot(dir, t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the shadow of a toolchain without src: %v", err)
	}
}

// A file that netring-try itself would build is refused.
func TestFilesRefuses(t *testing.T) {
	files := fstest.MapFS{"src/net/x.go": {Data: []byte("package net\n")}}
	if err := Files(files)(NewTree(t.TempDir(), nil)); err == nil {
		t.Error("a file without the build constraint is added")
	}
}
