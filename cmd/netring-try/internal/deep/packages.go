package deep

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// added is a package that the overlay adds to the standard library.
type added struct {
	path string // its import path
	std  string // what that becomes
	dir  func(Modules) string
}

const (
	netringPath = "github.com/netring-go/netring"
	sysPath     = "golang.org/x/sys"
	iouringPath = "github.com/iceber/iouring-go"
)

// packages are what package reactor/deep needs.
var packages = []added{
	ours("bufring"),
	ours("internal/errjoin"),
	ours("reactor"),
	ours("reactor/deep"),
	ours("reactor/engine"),
	{sysPath + "/unix", stdPrefix + "/sys/unix", func(m Modules) string { return filepath.Join(m.Sys, "unix") }},
	{iouringPath + "/syscall", stdPrefix + "/iouring/syscall", func(m Modules) string { return filepath.Join(m.IOURing, "syscall") }},
}

// ours is a package of netring's.
func ours(name string) added {
	dir := func(m Modules) string { return filepath.Join(m.Netring, filepath.FromSlash(name)) }
	return added{netringPath + "/" + name, stdPrefix + "/" + name, dir}
}

// stdPaths maps import paths to those in the standard library.
var stdPaths = func() map[string]string {
	paths := map[string]string{"net": stdPrefix + "/net"} // closedGlue
	for _, p := range packages {
		paths[p.path] = p.std
	}
	return paths
}()

// addPackages adds the packages' files, with their imports changed.
func addPackages(cfg Config, overlay map[string][]byte) error {
	for _, p := range packages {
		dir := p.dir(cfg.Modules)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("read package %s: %w", p.path, err)
		}
		found := false
		for _, e := range entries {
			if !isSource(e.Name()) || foreignName(e.Name(), cfg.GOARCH) {
				continue
			}
			src, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			if !mayBuild(src, cfg.GOARCH) {
				continue
			}
			if src, err = moveImports(e.Name(), src); err == nil && p.path == sysPath+"/unix" {
				src, err = replaceAssembly(e.Name(), src)
			}
			if err != nil {
				return fmt.Errorf("package %s: %w", p.path, err)
			}
			found = true
			overlay[filepath.Join(cfg.GOROOT, "src", filepath.FromSlash(p.std), e.Name())] = src
		}
		if !found {
			return fmt.Errorf("package %s has no source in %s", p.path, dir)
		}
	}
	return nil
}

// isSource reports whether a file is Go source of a package's build.
func isSource(name string) bool {
	return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}

// moveImports changes the imports of a file to the paths in the standard library.
func moveImports(name string, src []byte) ([]byte, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	for _, spec := range slices.Backward(file.Imports) { // so that offsets stay valid
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		std, moves := stdPaths[path]
		if !moves {
			if strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
				return nil, fmt.Errorf("%s imports %s, which the overlay does not have", name, path)
			}
			continue
		}
		at, end := fset.Position(spec.Path.Pos()).Offset, fset.Position(spec.Path.End()).Offset
		src = slices.Concat(src[:at], []byte(strconv.Quote(std)), src[end:])
	}
	return src, nil
}
