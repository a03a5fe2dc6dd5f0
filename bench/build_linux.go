package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// programC is the event loop in C.
const programC = "c-epoll"

//go:embed cepoll/echo.c
var cSource []byte

// buildTimeout bounds building one program, downloads included.
const buildTimeout = 5 * time.Minute

// builds makes the servers that are programs of their own, and the file that is sent,
// once each, in a directory that close removes.
type builds struct {
	peerDir string // where the peers' sources are
	tuning  string // the Go file whose constants variants set
	dir     string // "": there is none yet
	done    map[string]error
}

func (b *builds) close() error {
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// once has makeIt make a file the first time, and returns its name.
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

// program builds the event loop in C, or a peer's server, in the module that requires
// the peer.
func (b *builds) program(ctx context.Context, name string) (string, error) {
	return b.once(name, func(exe string) error {
		if name == programC {
			return build(ctx, "", cSource, "gcc", "-O2", "-Wall", "-Werror", "-x", "c", "-o", exe, "-")
		}
		return build(ctx, b.peerDir, nil, "go", "build", "-trimpath", "-o", exe, "./"+name)
	})
}

// build runs a command with the given standard input. An error quotes what the command
// printed.
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

// file makes the file of load.StreamSize bytes that File servers send and reads it once:
// it is in the page cache then, and no server has to bring it there for the others.
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
