package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netring-go/netring/cmd/netring-try/internal/deep"
)

// deepCommand is command for -deep: the overlay puts netring below package net, so that
// nothing has to be linked into the program.
func (j *job) deepCommand(verb string, flags []string, args ...string) ([]string, error) {
	switch {
	case j.overlay != "":
		return nil, errors.New("-deep needs the -overlay flag for itself; leave one of the two out")
	case j.dial:
		return nil, errors.New("-deep serves dialled connections anyway; leave -dial out")
	}
	dir, err := j.tc.netringDir(j.netring)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	modules, err := deep.FindModules(ctx, "go", dir)
	if err != nil {
		return nil, err
	}
	parent := filepath.Join(j.cache, overlays)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(parent, "deep-") // removeOld removes it
	if err != nil {
		return nil, err
	}
	b, err := deep.Prepare(ctx, deep.Request{Go: "go", Dir: j.tc.dir, Modules: modules, Work: work})
	if err != nil {
		return nil, fmt.Errorf("-deep: %w", err)
	}
	j.tc.command = b.Go
	j.tc.env = withEnv(j.tc.env, b.Env)
	command := []string{verb, "-overlay=" + b.Overlay}
	if verb == "test" {
		command = append(command, "-vet=off") // vet does not know directories of an overlay
	}
	return append(append(command, flags...), args...), nil
}

// withEnv returns env with the given variables in place of others of the same names: of two
// variables with one name, a program takes the first.
func withEnv(env, set []string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.ContainsFunc(set, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	})
	return append(env, set...)
}
