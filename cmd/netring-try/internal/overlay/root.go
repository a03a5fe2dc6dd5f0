package overlay

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ShadowRoot returns a directory below dir that can take the place of the toolchain's goroot:
// its entries, and those of src, are symbolic links to goroot's. Only src/netringtry is a
// directory of its own. It is empty, for the files are in the overlay, but the go command runs
// the assembler and vet there. Besides, the go command refuses an overlay for a toolchain that
// it has downloaded, because that is part of the module cache.
func ShadowRoot(dir, goroot string) (string, error) {
	sum := sha256.Sum256([]byte(goroot))
	name := strings.ReplaceAll(filepath.Base(goroot), "@", "-") + "-" + hex.EncodeToString(sum[:4])
	shadow := filepath.Join(dir, name)
	if err := linkEntries(goroot, shadow, "src"); err != nil {
		return "", err
	}
	return shadow, linkEntries(filepath.Join(goroot, "src"), filepath.Join(shadow, "src"), Prefix)
}

// linkEntries makes the directory to with links to all entries of from, except for one.
func linkEntries(from, to, except string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == except {
			continue
		}
		// The link may exist: an earlier netring-try has made it, or another one makes it now.
		err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
