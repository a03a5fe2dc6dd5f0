package deep

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Request says what Prepare prepares for.
type Request struct {
	Go      string // the go command
	Dir     string // of the program's module, which may choose the toolchain
	Modules Modules
	Work    string // an empty directory for the overlay's files
}

// Build builds programs in deep mode.
type Build struct {
	Go      string   // the go command of the toolchain that the overlay is for
	Env     []string // what its environment needs
	Overlay string   // the argument of its -overlay flag
}

// Prepare writes the overlay for the toolchain that the go command uses in the program's
// directory. The result is of use as long as the request's working directory exists.
func Prepare(ctx context.Context, req Request) (*Build, error) {
	cfg, cache, err := findToolchain(ctx, req.Go, req.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Modules = req.Modules
	env := []string{"GOROOT=" + cfg.GOROOT, "GOTOOLCHAIN=local"}
	if within(cfg.GOROOT, cache) {
		// The go command refuses overlays of the module cache, which is where it keeps the
		// toolchains that it has downloaded. It judges by the path, so the cache gets
		// another one.
		link := filepath.Join(req.Work, "modcache")
		if err := os.Symlink(cache, link); err != nil {
			return nil, fmt.Errorf("netring: link to the module cache: %w", err)
		}
		env = append(env, "GOMODCACHE="+link)
	}
	files, err := Overlay(cfg)
	if err != nil {
		return nil, err
	}
	path, err := Write(req.Work, files)
	if err != nil {
		return nil, err
	}
	return &Build{
		Go:      filepath.Join(cfg.GOROOT, "bin", "go"),
		Env:     env,
		Overlay: path,
	}, nil
}

// within reports whether the path is below the directory dir.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return dir != "" && err == nil && filepath.IsLocal(rel)
}

// Command returns a go command that builds in deep mode: verb is build, run, test or
// install.
func (b *Build) Command(ctx context.Context, verb string, args ...string) *exec.Cmd {
	args = append([]string{verb, "-overlay=" + b.Overlay}, args...)
	if verb == "test" {
		// Vet cannot work in directories that exist only in an overlay.
		args = append([]string{verb, "-vet=off"}, args[1:]...)
	}
	cmd := exec.CommandContext(ctx, b.Go, args...)
	cmd.Env = append(os.Environ(), b.Env...)
	return cmd
}
