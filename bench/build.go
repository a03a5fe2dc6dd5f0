package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed cepoll/echo.c
var cSource []byte

// buildTimeout bounds building one program, downloads included.
const buildTimeout = 5 * time.Minute

// builds makes the servers that are programs of their own, once each.
type builds struct {
	peerDir string // where their sources are
	dir     string // where they are put; "": there is none yet
	done    map[string]built
}

type built struct {
	exe string
	err error
}

// close removes the programs.
func (b *builds) close() error {
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// once returns what build made the first time.
func (b *builds) once(name string, build func(exe string) error) (string, error) {
	if r, ok := b.done[name]; ok {
		return r.exe, r.err
	}
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "netring-bench-*")
		if err != nil {
			return "", err
		}
		b.dir, b.done = dir, map[string]built{}
	}
	r := built{exe: filepath.Join(b.dir, name)}
	if err := build(r.exe); err != nil {
		r.err = fmt.Errorf("was not built: %w", err)
	}
	b.done[name] = r
	return r.exe, r.err
}

// c builds the event loop in C.
func (b *builds) c() (string, error) {
	return b.once(implC, func(exe string) error {
		gcc, err := exec.LookPath("gcc")
		if err != nil {
			return err
		}
		return command(cSource, "", gcc, "-O2", "-Wall", "-Werror", "-x", "c", "-o", exe, "-")
	})
}

// peer builds a peer's server, in the module that requires it.
func (b *builds) peer(name string) (string, error) {
	return b.once(name, func(exe string) error {
		if _, err := os.Stat(filepath.Join(b.peerDir, "go.mod")); err != nil {
			return err
		}
		return command(nil, b.peerDir, "go", "build", "-trimpath", "-o", exe, "./"+name)
	})
}

// command runs a compiler and quotes what it says if it fails.
func command(in []byte, dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Stdin = bytes.NewReader(in)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	said := strings.Join(strings.Fields(string(out)), " ")
	return errors.Join(fmt.Errorf("%s: %w: %.300s", filepath.Base(name), err, said), ctx.Err())
}
