package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/mod/module"

	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

// netringPackages returns a package of netring and its dependencies. from is the value of
// -netring: a directory or a version; "" means the netring that this program belongs to. pkg is
// the package's path in netring's module. flags are the build flags that choose files.
func (t *toolchain) netringPackages(from, pkg string, flags []string) ([]overlay.Package, error) {
	dir, err := t.netringDir(from)
	if err != nil {
		return nil, err
	}
	args := append([]string{"list", "-deps", "-json=" + overlay.ListFields}, withoutFlag(withoutFlag(flags, "mod"), "modfile")...)
	out, err := t.outputIn(dir, t.alone(), append(args, "./"+pkg)...)
	if err != nil {
		return nil, fmt.Errorf("listing netring's packages in %s: %w", dir, err)
	}
	return overlay.ParsePackages(out)
}

// netringDir returns the directory of netring's source.
func (t *toolchain) netringDir(from string) (string, error) {
	if from == "" {
		if dir, ok := checkout(); ok {
			return dir, nil
		}
		from = ownVersion()
	} else if isNetring(from) {
		return filepath.Abs(from)
	} else if strings.ContainsAny(from, `/\`) || from == "." || from == ".." {
		return "", fmt.Errorf("-netring %s is not a directory with the module %s", from, overlay.Module)
	}
	out, err := t.outputIn(os.TempDir(), t.alone(), "mod", "download", "-json", overlay.Module+"@"+from)
	if err != nil {
		return "", fmt.Errorf("getting netring %s: %w; use -netring with the directory of a checkout", from, err)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		return "", fmt.Errorf("output of go mod download: %w", err)
	}
	return m.Dir, nil
}

// checkout returns the directory of netring's source if this program was built from it.
func checkout() (string, bool) {
	_, file, _, ok := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "..", "..")
	return dir, ok && filepath.IsAbs(file) && isNetring(dir)
}

// isNetring reports whether dir is the root of netring's module.
func isNetring(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line) == "module "+overlay.Module
}

// ownVersion returns the version of this program's module, which netring's versions follow. Of
// a pseudo-version it is the commit: the tags before it may differ between the two modules.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || !strings.HasPrefix(info.Main.Version, "v") {
		return "latest"
	}
	if commit, err := module.PseudoVersionRev(info.Main.Version); err == nil {
		return commit
	}
	return info.Main.Version
}
