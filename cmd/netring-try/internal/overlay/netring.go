package overlay

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
)

// Module is netring's module path.
const Module = "github.com/netring-go/netring"

// HookPath is the import path of the package that sets package net's hooks.
const HookPath = Prefix + "/hook"

//go:embed hook/hook.go
var hookSource []byte

//go:embed hook/stats.go
var statsSource []byte

// Package is a package to add to the standard library, as `go list -json` prints it.
type Package struct {
	ImportPath string
	Dir        string
	Standard   bool
	GoFiles    []string
	CgoFiles   []string
	SFiles     []string
	HFiles     []string
	EmbedFiles []string
}

// ListFields are the fields of Package for `go list -json=`.
const ListFields = "ImportPath,Dir,Standard,GoFiles,CgoFiles,SFiles,HFiles,EmbedFiles"

// ParsePackages reads the output of `go list -deps -json=`[ListFields].
func ParsePackages(list []byte) ([]Package, error) {
	var pkgs []Package
	for d := json.NewDecoder(bytes.NewReader(list)); ; {
		var p Package
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return pkgs, nil
		case err != nil:
			return nil, fmt.Errorf("output of go list: %w", err)
		}
		pkgs = append(pkgs, p)
	}
}

// Netring returns the Layer that adds netring to the standard library, below [Prefix]. pkgs
// are netring and all packages that it depends on. The Tree's root must be a [ShadowRoot].
func Netring(pkgs []Package) Layer {
	return func(t *Tree) error {
		moved := make(map[string]bool)
		for _, p := range pkgs {
			moved[p.ImportPath] = !p.Standard
		}
		if !moved[Module] {
			return fmt.Errorf("the packages have no %s", Module)
		}
		for _, p := range pkgs {
			if p.Standard {
				continue
			}
			if err := addPackage(t, p, moved); err != nil {
				return fmt.Errorf("adding package %s to the build: %w", p.ImportPath, err)
			}
		}
		if err := os.MkdirAll(t.Src(HookPath), 0o777); err != nil {
			return err
		}
		t.Write(t.Src(HookPath, "hook.go"), stripConstraint(hookSource))
		t.Write(t.Src(HookPath, "stats.go"), stripConstraint(statsSource))
		return nil
	}
}

// addPackage adds a package, with its imports of moved packages changed.
func addPackage(t *Tree, p Package, moved map[string]bool) error {
	if len(p.CgoFiles) > 0 || len(p.EmbedFiles) > 0 {
		return fmt.Errorf("it uses cgo or embedded files (%q), which netring-try does not support", slices.Concat(p.CgoFiles, p.EmbedFiles))
	}
	dir := t.Src(Prefix, filepath.FromSlash(p.ImportPath))
	if err := os.MkdirAll(dir, 0o777); err != nil { // the assembler and vet run there
		return err
	}
	for _, name := range slices.Concat(p.GoFiles, p.SFiles, p.HFiles) {
		src, err := t.Read(filepath.Join(p.Dir, name))
		if err != nil {
			return err
		}
		if path.Ext(name) == ".go" {
			if src, err = moveImports(name, src, moved); err != nil {
				return err
			}
		}
		t.Write(filepath.Join(dir, name), src)
	}
	return nil
}

// moveImports returns src with [Prefix] before the import paths in moved. Lines stay as they
// are.
func moveImports(name string, src []byte, moved map[string]bool) ([]byte, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var out []byte
	done := 0
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if !moved[imported] {
			continue
		}
		at := fset.Position(spec.Path.Pos()).Offset
		out = append(out, src[done:at]...)
		out = strconv.AppendQuote(out, path.Join(Prefix, imported))
		done = at + len(spec.Path.Value)
	}
	return append(out, src[done:]...), nil
}

// Names of the files that import the hook into a package.
const (
	linkName      = "zz_netring_try.go"
	linkTestName  = "zz_netring_try_test.go"
	linkXTestName = "zz_netring_try_x_test.go"
)

// link returns the file that imports the hook into the named package.
func link(name string) []byte {
	return fmt.Appendf(nil, "package %s\n\nimport _ %q\n", name, HookPath)
}

// LinkTests is the Layer that imports the hook into each test binary: into a package that
// the main function of all tests uses. So it does not matter which tests a package has.
func LinkTests(t *Tree) error {
	dir := t.Src("testing", "internal", "testdeps")
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("the toolchain has no package testing/internal/testdeps, into which netring-try links netring; it knows %s: %w", KnownVersions, err)
	}
	t.Write(filepath.Join(dir, linkName), link("testdeps"))
	return nil
}

// LinkTested returns the Layer that imports the hook into the tests of the package in dir, too,
// so that the hook is set before the package's variables are initialised. LinkTests alone
// promises that for the test functions only.
func LinkTested(dir, name string, internal, external bool) Layer {
	return func(t *Tree) error {
		if internal {
			if err := t.add(filepath.Join(dir, linkTestName), link(name)); err != nil {
				return err
			}
		}
		if external {
			return t.add(filepath.Join(dir, linkXTestName), link(name+"_test"))
		}
		return nil
	}
}

// LinkMain returns the Layer that imports the hook into the package main in dir. The added file
// must be an argument of `go build`, too, if the package is given as a list of files; its name
// is [MainLink](dir).
func LinkMain(dir string) Layer {
	return func(t *Tree) error { return t.add(MainLink(dir), link("main")) }
}

// MainLink returns the name of the file that [LinkMain] adds to dir.
func MainLink(dir string) string { return filepath.Join(dir, linkName) }

// add adds a file to a package of the program.
func (t *Tree) add(name string, data []byte) error {
	if _, err := t.Read(name); err == nil {
		return fmt.Errorf("%s exists; netring-try needs this file name: rename the file", name)
	}
	t.Write(name, data)
	return nil
}
