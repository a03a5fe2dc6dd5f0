package deep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	// What the overlay adds to the standard library, so that go.mod requires it.
	_ "github.com/netring-go/netring/reactor/deep"
)

// FindModules asks the go command, run in dir with the given flags (such as -modfile=file),
// where netring and the modules it needs are. That module, or workspace, must require
// netring.
func FindModules(ctx context.Context, goCommand, dir string, flags ...string) (Modules, error) {
	args := append([]string{"list", "-m", "-json=Path,Dir"}, flags...)
	out, err := run(ctx, goCommand, dir, append(args, netringPath, sysPath, iouringPath)...)
	if err != nil {
		return Modules{}, err
	}
	dirs := make(map[string]string)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Dir string }
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return Modules{}, fmt.Errorf("netring: read the answer of go list: %w", err)
		}
		dirs[m.Path] = m.Dir
	}
	for _, path := range []string{netringPath, sysPath, iouringPath} {
		if dirs[path] == "" {
			return Modules{}, fmt.Errorf("netring: module %s is not downloaded; run go mod download %[1]s in %s", path, dir)
		}
	}
	return Modules{Netring: dirs[netringPath], Sys: dirs[sysPath], IOURing: dirs[iouringPath]}, nil
}

// findToolchain asks the go command, run in dir, for the fields of a Config other than
// Modules, and for the module cache.
func findToolchain(ctx context.Context, goCommand, dir string) (cfg Config, cache string, err error) {
	out, err := run(ctx, goCommand, dir, "env", "-json", "GOROOT", "GOVERSION", "GOOS", "GOARCH", "GOMODCACHE")
	if err != nil {
		return Config{}, "", err
	}
	var env struct{ GOROOT, GOVERSION, GOOS, GOARCH, GOMODCACHE string }
	if err := json.Unmarshal(out, &env); err != nil {
		return Config{}, "", fmt.Errorf("netring: read the answer of go env: %w", err)
	}
	return Config{GOROOT: env.GOROOT, GoVersion: env.GOVERSION, GOOS: env.GOOS, GOARCH: env.GOARCH}, env.GOMODCACHE, nil
}

// run returns the standard output of a go command.
func run(ctx context.Context, goCommand, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, goCommand, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("netring: %v in %q: %w: %s", cmd.Args, dir, err, bytes.TrimSpace(exit.Stderr))
	}
	if err != nil {
		return nil, fmt.Errorf("netring: run %v in %q: %w", cmd.Args, dir, err)
	}
	return out, nil
}
