package overlay

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestMoveImports(t *testing.T) {
	moved := map[string]string{"example.com/a": "netringtry/example.com/a", "net": "netringtry/net"}
	const before = `// Package p has "net" in its comment.
package p

import "net"

import (
	"net/http"
	"strings"

	. "example.com/a"
	b "example.com/a/b"
	_ ` + "`example.com/a`" + ` // why
)

var s = "net"
`
	want := strings.NewReplacer(
		`import "net"`, `import "netringtry/net"`,
		`. "example.com/a"`, `. "netringtry/example.com/a"`,
		"_ `example.com/a`", `_ "netringtry/example.com/a"`,
	).Replace(before)
	got, err := moveImports("p.go", []byte(before), moved)
	if string(got) != want || err != nil {
		t.Errorf("the source is\n%s\n(%v) and should be\n%s", got, err, want)
	}
	if _, err := moveImports("p.go", []byte("import"), moved); err == nil {
		t.Error("a file that is no Go has no error")
	}
}

func TestInject(t *testing.T) {
	tree, dir := NewTree(t.TempDir(), nil), t.TempDir()
	write(t, "package a\n\nimport (\n\t\"net\"\n\t\"os\"\n\n\t\"example.com/b/c\"\n)\n", dir, "a", "a.go")
	write(t, "not built", dir, "a", "other.go")
	write(t, "package c\n\nfunc asm()\n", dir, "c", "c.go")
	write(t, "TEXT ·asm(SB),4,$0\n", dir, "c", "c.s")
	write(t, "#define X \"example.com/b/c\"\n", dir, "c", "c.h")
	pkgs := []Package{
		{ImportPath: "net", Dir: "/nowhere", Standard: true, GoFiles: []string{"net.go"}, CgoFiles: []string{"cgo.go"}},
		{ImportPath: "os", Standard: true},
		{ImportPath: "example.com/b/c", Dir: filepath.Join(dir, "c"), GoFiles: []string{"c.go"}, SFiles: []string{"c.s"}, HFiles: []string{"c.h"}},
		{ImportPath: "example.com/a", Dir: filepath.Join(dir, "a"), GoFiles: []string{"a.go"}},
	}
	if err := Inject(pkgs, map[string]string{"net": "netringtry/net"})(tree); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"example.com/a/a.go":   "package a\n\nimport (\n\t\"netringtry/net\"\n\t\"os\"\n\n\t\"netringtry/example.com/b/c\"\n)\n",
		"example.com/b/c/c.go": "package c\n\nfunc asm()\n",
		"example.com/b/c/c.s":  "TEXT ·asm(SB),4,$0\n",
		"example.com/b/c/c.h":  "#define X \"example.com/b/c\"\n",
	} {
		if got := read(t, tree, tree.Src(Prefix, filepath.FromSlash(name))); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := read(t, tree, tree.Src(Prefix, "stats", "stats.go")); !strings.Contains(got, "package stats") || strings.Contains(got, "go:build") {
		t.Errorf("stats.go is %q", got)
	}
	if len(tree.files) != 5 {
		t.Errorf("%d files were added, want 5", len(tree.files))
	}
}

// What cannot be part of the standard library is refused.
func TestInjectRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, "import", dir, "wrong.go")
	for want, p := range map[string]Package{
		`it uses cgo or embedded files (["x.go"])`:  {CgoFiles: []string{"x.go"}},
		`it uses cgo or embedded files (["x.txt"])`: {EmbedFiles: []string{"x.txt"}},
		"missing.go": {GoFiles: []string{"missing.go"}},
		"wrong.go:1": {GoFiles: []string{"wrong.go"}},
	} {
		p.ImportPath, p.Dir = "example.com/p", dir
		err := Inject([]Package{p}, nil)(NewTree(t.TempDir(), nil))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "adding package example.com/p") {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
}

func TestParsePackages(t *testing.T) {
	pkgs, err := ParsePackages([]byte(`{"ImportPath": "a", "GoFiles": ["a.go"]} {"ImportPath": "b", "Standard": true}`))
	if err != nil || len(pkgs) != 2 || pkgs[0].GoFiles[0] != "a.go" || !pkgs[1].Standard {
		t.Errorf("%+v, %v", pkgs, err)
	}
	if _, err := ParsePackages([]byte(`{"ImportPath": "a"} {`)); err == nil || !strings.Contains(err.Error(), "output of go list") {
		t.Errorf("half an object: %v", err)
	}
}
