package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// cachedModule is a module in the module cache, as `go mod download -json` prints it.
type cachedModule struct {
	Path, Version, Dir string
	Error              string
}

// fetch prepares a package of the form path@version. It copies the module out of the module
// cache, where no build may change files, and moves the job into the copy. There the module is
// the main module, so its own replace directives hold. fetch returns the arguments with the
// version removed; arguments without a version are returned as they are.
func (j *job) fetch(args []string) ([]string, error) {
	at := -1
	for _, i := range operands(args) {
		a := args[i]
		if !strings.Contains(a, "@") {
			continue
		}
		if at >= 0 {
			return nil, fmt.Errorf("%q and %q have versions; give one package with a version", args[at], a)
		}
		at = i
	}
	if at < 0 {
		return args, nil
	}
	pattern, version, _ := strings.Cut(args[at], "@")
	pkg := strings.TrimSuffix(strings.TrimSuffix(pattern, "..."), "/")
	m, err := j.tc.download(pkg, version)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(j.cache, modules, strings.ReplaceAll(m.Path, "/", "-")+"@"+m.Version)
	if err := j.tc.copyModule(m, dir); err != nil {
		return nil, fmt.Errorf("copying module %s@%s out of the module cache: %w", m.Path, m.Version, err)
	}
	if j.tc, err = findToolchain(dir, j.cache); err != nil {
		return nil, err
	}
	j.tc.env, j.tc.plain.env = j.tc.alone(), j.tc.plain.alone()
	if !hasFlag(j.flags, "mod") { // the module may need entries in go.mod and go.sum
		j.flags = append(j.flags, "-mod=mod")
		j.request.list = append(j.request.list, "-mod=mod")
	}
	return append(append(args[:at:at], pattern), args[at+1:]...), nil
}

// download returns the module that has the package, as the go command finds it: the longest
// module path that exists at the version.
func (t *toolchain) download(pkg, version string) (*cachedModule, error) {
	var errs []error
	for p := pkg; p != "." && p != "/"; p = path.Dir(p) {
		out, err := t.outputIn(os.TempDir(), t.alone(), "mod", "download", "-json", p+"@"+version)
		var m cachedModule
		if err2 := json.Unmarshal(out, &m); err2 != nil {
			errs = append(errs, err)
			continue
		}
		if err != nil {
			errs = append(errs, errors.New(m.Error))
			continue
		}
		below := strings.TrimPrefix(strings.TrimPrefix(pkg, p), "/")
		if _, err := os.Stat(filepath.Join(m.Dir, filepath.FromSlash(below))); err == nil {
			return &m, nil
		}
		errs = append(errs, fmt.Errorf("module %s@%s has no directory %s", m.Path, m.Version, below))
	}
	return nil, fmt.Errorf("no module has package %s at version %s: %w", pkg, version, errors.Join(errs...))
}

// copyModule copies the module to the directory to, unless it is there already.
func (t *toolchain) copyModule(m *cachedModule, to string) error {
	if now := time.Now(); os.Chtimes(to, now, now) == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(to), "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) // nothing is there once it is renamed
	if err := copyTree(m.Dir, temp); err != nil {
		return err
	}
	if err := t.makeMain(m, temp); err != nil {
		return err
	}
	if err = os.Rename(temp, to); err != nil {
		if _, err2 := os.Stat(to); err2 == nil {
			return nil // another process was faster
		}
	}
	return err
}

// makeMain changes the go.mod in dir so that the module can be the main module: replace
// directives with directories that the module does not contain go, as if another module
// required this one.
func (t *toolchain) makeMain(m *cachedModule, dir string) error {
	file := filepath.Join(dir, "go.mod")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(file, []byte("module "+m.Path+"\n"), 0o666)
	}
	out, err := t.outputIn(dir, t.alone(), "mod", "edit", "-json")
	if err != nil {
		return err
	}
	var mod struct {
		Replace []struct {
			Old, New struct{ Path, Version string }
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return fmt.Errorf("output of go mod edit: %w", err)
	}
	edit := []string{"mod", "edit"}
	for _, r := range mod.Replace {
		if r.New.Version != "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, r.New.Path, "go.mod")); err == nil && !filepath.IsAbs(r.New.Path) {
			continue
		}
		old := r.Old.Path
		if r.Old.Version != "" {
			old += "@" + r.Old.Version
		}
		edit = append(edit, "-dropreplace="+old)
	}
	if len(edit) == 2 {
		return nil
	}
	_, err = t.outputIn(dir, t.alone(), edit...)
	return err
}

// copyTree copies all files. The copies can be written to.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o777)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o666)
	})
}
