package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// programC is the epoll loop in C.
const programC = "c-epoll"

//go:embed cepoll/echo.c
var cSource []byte

// buildTimeout bounds building one program, downloads included.
const buildTimeout = 5 * time.Minute

// builds makes programs and the file of File servers, once each, in a directory that close removes.
type builds struct {
	peerDir string // of the peers' sources
	tuning  string // the Go file with the constants that variants set
	dir     string // "" before the first file
	done    map[string]error
}

func (b *builds) close() error { return os.RemoveAll(b.dir) }

// once calls makeIt to make a file, the first time only, and returns the file's name.
func (b *builds) once(name string, makeIt func(file string) error) (file string, err error) {
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "netring-bench-*"); err != nil {
			return "", err
		}
		b.done = map[string]error{}
	}
	file = filepath.Join(b.dir, name)
	err, ok := b.done[name]
	if !ok {
		if err = makeIt(file); err != nil {
			err = fmt.Errorf("was not built: %w", err)
		}
		b.done[name] = err
	}
	return file, err
}

// program builds the epoll loop in C or a peer's server.
func (b *builds) program(ctx context.Context, name string) (string, error) {
	return b.once(name, func(exe string) error {
		if name == programC {
			return build(ctx, "", cSource, "gcc", "-O2", "-Wall", "-Werror", "-x", "c", "-o", exe, "-")
		}
		return build(ctx, b.peerDir, nil, "go", "build", "-trimpath", "-o", exe, "./"+name)
	})
}

// build runs a command with the given standard input. An error quotes what the command printed.
func build(ctx context.Context, dir string, input []byte, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin, cmd.WaitDelay = dir, bytes.NewReader(input), time.Second
	said, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %.300s", name, err, bytes.Join(bytes.Fields(said), []byte(" ")))
	}
	return errors.Join(err, context.Cause(ctx))
}

// file makes the file that File servers send, of load.StreamSize bytes. It reads the file into the
// page cache, which otherwise the first server would do for the others.
func (b *builds) file() (string, error) {
	return b.once("file", func(name string) (err error) {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if err := f.Truncate(load.StreamSize); err != nil {
			return err
		}
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, load.MiB))
		return err
	})
}

// variantOf matches a server's name with a variant: a git revision, or assignments to constants
// with semicolons in between.
var variantOf = regexp.MustCompile(`^(?:net|uring|syscall)(?:\+[a-z]+)?@(?:[^=;]+|\w+=[^;]+(?:;\w+=[^;]+)*)$`)

// variants builds the variants in the rows before the first turn: a misspelt constant or revision
// then fails at once.
func (b *bench) variants(rows []row) error {
	for _, r := range rows {
		for _, e := range r.servers {
			if e.variant != "" {
				if _, err := b.builds.variant(b.ctx, e.variant); err != nil {
					return fmt.Errorf("%s %w", e.name, err)
				}
			}
		}
	}
	return nil
}

// variant builds this program with other values of constants, or from a git revision.
func (b *builds) variant(ctx context.Context, variant string) (string, error) {
	return b.once("@"+url.PathEscape(variant), func(exe string) error {
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

// overlayOf writes a copy of a Go file with the assignments, and an overlay for go build that uses
// the copy. Their names begin with prefix.
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

// setConstant returns the source of a Go file with another value of a package-level constant.
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
				for i := range s.Values { // none if the constant repeats the expression above it
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
