package overlay

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// constraint is the first line of the files for [Files]. It keeps them out of the builds of
// netring-try itself.
const constraint = "//go:build netring_try_overlay\n"

// Files returns the Layer that adds the files below the directory src to the standard library. The
// Tree's root must be a [ShadowRoot].
func Files(files fs.FS) Layer {
	return func(t *Tree) error {
		return fs.WalkDir(files, "src", func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			data, ok := bytes.CutPrefix(data, []byte(constraint))
			if !ok {
				return fmt.Errorf("%s does not start with %q", name, constraint)
			}
			return t.addStd(filepath.Join(t.GOROOT, filepath.FromSlash(name)), data)
		})
	}
}

// addStd adds a file to the standard library. The go command runs the assembler and vet in the
// directory of a package, so it must exist, though its files are in the overlay. Only those below
// [Prefix] may not.
func (t *Tree) addStd(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	t.Write(name, data)
	return nil
}
