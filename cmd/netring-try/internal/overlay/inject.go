package overlay

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strconv"
)

// Module is netring's module path.
const Module = "github.com/netring-go/netring"

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

// statsFiles is a package for the hooks of all modes.
//
//go:embed src
var statsFiles embed.FS

// Inject returns the Layer that adds packages to the standard library, below [Prefix]: those of
// pkgs that are no part of it. instead has import paths that the packages import instead of
// others. The Tree's root must be a [ShadowRoot].
func Inject(pkgs []Package, instead map[string]string) Layer {
	return func(t *Tree) error {
		moved := make(map[string]string)
		for _, p := range pkgs {
			if !p.Standard {
				moved[p.ImportPath] = path.Join(Prefix, p.ImportPath)
			}
		}
		for from, to := range instead {
			moved[from] = to
		}
		for _, p := range pkgs {
			if p.Standard {
				continue
			}
			if err := addPackage(t, p, moved); err != nil {
				return fmt.Errorf("adding package %s to the build: %w", p.ImportPath, err)
			}
		}
		return Files(statsFiles)(t)
	}
}

// addPackage adds a package, with its imports changed.
func addPackage(t *Tree, p Package, moved map[string]string) error {
	if len(p.CgoFiles) > 0 || len(p.EmbedFiles) > 0 {
		return fmt.Errorf("it uses cgo or embedded files (%q), which netring-try does not support", slices.Concat(p.CgoFiles, p.EmbedFiles))
	}
	dir := t.Src(filepath.FromSlash(moved[p.ImportPath]))
	for _, name := range slices.Concat(p.GoFiles, p.SFiles, p.HFiles) {
		src, err := t.Read(filepath.Join(p.Dir, name))
		if err != nil {
			return err
		}
		if filepath.Ext(name) == ".go" {
			if src, err = moveImports(name, src, moved); err != nil {
				return err
			}
		}
		if err := t.addStd(filepath.Join(dir, name), src); err != nil {
			return err
		}
	}
	return nil
}

// moveImports returns src with other import paths in place of those in moved. Line numbers stay
// as they are.
func moveImports(name string, src []byte, moved map[string]string) ([]byte, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	for _, spec := range slices.Backward(file.Imports) { // so that offsets stay valid
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		if to, ok := moved[imported]; ok {
			at := fset.Position(spec.Path.Pos()).Offset
			src = slices.Concat(src[:at], strconv.AppendQuote(nil, to), src[at+len(spec.Path.Value):])
		}
	}
	return src, nil
}
