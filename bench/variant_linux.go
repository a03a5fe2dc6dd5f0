package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// tuningFile declares the constants that a variant can set.
const tuningFile = "../reactor/tuning.go"

// variantOf matches a server's name with a variant: a git revision, or assignments to
// constants, name=expression, separated by semicolons.
var variantOf = regexp.MustCompile(`^(?:net|uring|syscall)(?:\+[a-z]+)?@(?:[^=;]+|\w+=[^;]+(?:;\w+=[^;]+)*)$`)

// variants builds the variants in the rows. Most mistakes show here, before anything is
// measured.
func (b *bench) variants(rows []row) error {
	for _, r := range rows {
		for _, e := range r.servers {
			if e.variant == "" {
				continue
			}
			if _, err := b.builds.variant(b.ctx, e.variant); err != nil {
				return fmt.Errorf("%s %w", e.name, err)
			}
		}
	}
	return nil
}

// variant builds this program from a git revision, or with other values of constants.
func (b *builds) variant(ctx context.Context, variant string) (string, error) {
	return b.once(url.PathEscape(variant), func(exe string) error {
		if strings.Contains(variant, "=") {
			overlay, err := overlayOf(b.tuning, exe, strings.Split(variant, ";"))
			if err != nil {
				return err
			}
			return build(ctx, ".", nil, "go", "build", "-buildvcs=false", "-overlay", overlay, "-o", exe, ".")
		}
		dir, archive := exe+".src", exe+".tar"
		if err := errors.Join(os.Mkdir(dir, 0o777), build(ctx, "..", nil, "git", "archive", "-o", archive, variant)); err != nil {
			return err
		}
		if err := build(ctx, dir, nil, "tar", "-xf", archive); err != nil {
			return err
		}
		return build(ctx, filepath.Join(dir, "bench"), nil, "go", "build", "-buildvcs=false", "-o", exe, ".")
	})
}

// overlayOf writes a copy of a Go file that differs by the assignments, and the file that
// makes go build use it. Their names begin with prefix.
func overlayOf(file, prefix string, assignments []string) (overlay string, err error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for _, a := range assignments {
		constant, value, _ := strings.Cut(a, "=")
		if source, err = setConstant(source, constant, value); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{absolute: prefix + ".go"}})
	overlay = prefix + ".json"
	return overlay, errors.Join(err, os.WriteFile(prefix+".go", source, 0o666), os.WriteFile(overlay, replace, 0o666))
}

// setConstant returns the source of a Go file with another value of a package-level
// constant.
func setConstant(source []byte, constant, value string) ([]byte, error) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	values := map[string]ast.Expr{}
	for _, d := range f.Decls {
		if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.CONST {
			for _, s := range d.Specs {
				s := s.(*ast.ValueSpec)
				for i := range s.Values { // none if the value is that of the line above
					values[s.Names[i].Name] = s.Values[i]
				}
			}
		}
	}
	v, ok := values[constant]
	if !ok {
		return nil, fmt.Errorf("constant %q is unknown; use %s", constant, strings.Join(slices.Sorted(maps.Keys(values)), ", "))
	}
	from, to := files.Position(v.Pos()).Offset, files.Position(v.End()).Offset
	return slices.Concat(source[:from], []byte(value), source[to:]), nil
}
