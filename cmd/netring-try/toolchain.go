package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

// toolchain is the go command in use.
type toolchain struct {
	command string     // the go command's file
	dir     string     // where the go command runs
	env     []string   // of the go command
	plain   *toolchain // the same without netring

	GOROOT, GOVERSION, GOOS, GOARCH, GOMODCACHE, GOFLAGS string
}

// minVersion is the version of Go that netring needs.
const minVersion = "go1.25"

// findToolchain returns the toolchain that the go command chooses in dir. It must build for
// Linux.
func findToolchain(dir, cache string) (*toolchain, error) {
	command, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	t := &toolchain{command: command, dir: dir, env: os.Environ()}
	out, err := t.output("env", "-json", "GOROOT", "GOVERSION", "GOOS", "GOARCH", "GOMODCACHE", "GOFLAGS")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(out, t); err != nil {
		return nil, fmt.Errorf("output of go env: %w", err)
	}
	if t.GOOS != "linux" {
		return nil, fmt.Errorf("the build is for %s; netring runs on Linux only: use a Linux system, or GOOS=linux to build for one", t.GOOS)
	}
	release, _, _ := strings.Cut(t.GOVERSION, " ") // go1.26.8 X:experiment
	if version.Compare(release, minVersion) < 0 {
		return nil, fmt.Errorf("the toolchain is %s; netring needs %s or later: install it, or set GOTOOLCHAIN=%s.0+auto", t.GOVERSION, minVersion, minVersion)
	}
	plain := *t
	t.plain = &plain
	if t.GOROOT, err = overlay.ShadowRoot(filepath.Join(cache, "goroot"), t.GOROOT); err != nil {
		return nil, fmt.Errorf("making a copy of the toolchain's directory by links: %w", err)
	}
	t.command = filepath.Join(t.GOROOT, "bin", "go")
	t.env = withEnv(t.env, "GOROOT="+t.GOROOT, "GOTOOLCHAIN=local")
	return t, nil
}

// output returns what a go command prints. What it prints to its standard error becomes the
// error.
func (t *toolchain) output(args ...string) ([]byte, error) {
	return t.outputIn(t.dir, t.env, args...)
}

func (t *toolchain) outputIn(dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.Command(t.command, args...)
	cmd.Dir, cmd.Env = dir, env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// alone returns the environment for a go command in another module: without a workspace and
// without flags that concern the modules or files of the program's build.
func (t *toolchain) alone() []string {
	var flags []string
	for f := range strings.FieldsSeq(t.GOFLAGS) {
		switch name, _, _ := cutFlag(f); name {
		case "mod", "modfile", "overlay":
		default:
			flags = append(flags, f)
		}
	}
	return withEnv(t.env, "GOWORK=off", "GOFLAGS="+strings.Join(flags, " "))
}

// withEnv returns env with the given variables in place of others of the same names: of two
// variables with one name, a program takes the first. The go command sets GOROOT in what runs
// under a toolchain that it has downloaded, such as netring-try.
func withEnv(env []string, set ...string) []string {
	kept := slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.ContainsFunc(set, func(s string) bool { return strings.HasPrefix(s, name+"=") })
	})
	return append(kept, set...)
}

// userOverlay returns the overlay that the program's build has already: the value of
// -overlay, or else the one in GOFLAGS. File names become absolute.
func (t *toolchain) userOverlay(name string) (map[string]string, error) {
	for f := range strings.FieldsSeq(t.GOFLAGS) {
		if key, value, _ := cutFlag(f); key == "overlay" && name == "" {
			name = value
		}
	}
	if name == "" {
		return nil, nil
	}
	data, err := os.ReadFile(t.abs(name))
	if err != nil {
		return nil, fmt.Errorf("-overlay: %w", err)
	}
	var file struct{ Replace map[string]string }
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("-overlay %s: %w", name, err)
	}
	base := make(map[string]string)
	for from, to := range file.Replace {
		if to != "" {
			to = t.abs(to)
		}
		base[t.abs(from)] = to
	}
	return base, nil
}

// abs returns the absolute form of a file name that is relative to t.dir.
func (t *toolchain) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(t.dir, name)
}

// programPackage is a package of the program, as `go list -json` prints it.
type programPackage struct {
	Name, ImportPath, Dir     string
	Standard                  bool
	TestGoFiles, XTestGoFiles []string
}

// list returns the packages that the patterns match. A package that cannot be loaded is listed
// with what is known, for `go build` and `go test` report what is wrong.
func (j *job) list(patterns ...string) ([]programPackage, error) {
	args := []string{"list", "-e", "-find", "-json=Name,ImportPath,Dir,Standard,TestGoFiles,XTestGoFiles"}
	if j.overlay != "" {
		args = append(args, "-overlay="+j.overlay)
	}
	out, err := j.tc.plain.output(slices.Concat(args, j.request.list, []string{"--"}, patterns)...)
	if err != nil {
		return nil, err
	}
	var pkgs []programPackage
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p programPackage
		if err := d.Decode(&p); err != nil {
			return nil, fmt.Errorf("output of go list: %w", err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

// inModuleCache reports whether the directory is below the module cache.
func (t *toolchain) inModuleCache(dir string) bool {
	rel, err := filepath.Rel(t.GOMODCACHE, dir)
	return err == nil && filepath.IsLocal(rel)
}
