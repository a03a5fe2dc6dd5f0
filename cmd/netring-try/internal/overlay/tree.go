// Package overlay changes the toolchain's standard library for one build. The changes are the
// argument of `go build -overlay`, a list of files that replace others: neither the toolchain nor
// the program is written to.
//
// A [Tree] collects the changed and added files. Each [Layer] adds its own:
//
//   - [Inject] adds netring and the packages that it needs to the standard library, below
//     netringtry/;
//   - [Insert] inserts statements into functions of the standard library, which call netring;
//   - [Files] adds the code in between.
//
// netring is part of the standard library during the build. So the go.mod, go.sum, go.work and
// vendor directory of the program stay as they are, no dependency changes its version, and tests
// of the standard library can use netring, too.
//
// No code of Go's is kept here. The layers read the sources of the toolchain in use, and fail if
// those do not look as expected.
//
// What is called is the business of a [Mode]. Package listener has net.Listen return netring's
// listeners; package deep has package net's own connections use netring's reactors.
package overlay

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Prefix is the import path below which netring and its dependencies are part of the
// standard library.
const Prefix = "netringtry"

// Tree is the files of a build: those on disk, and what replaces or hides them.
type Tree struct {
	// GOROOT is the root of the toolchain.
	GOROOT string

	base  map[string]string // the user's own -overlay: absolute file name to replacement
	files map[string][]byte // by absolute file name
}

// Mode is a way to have a program use netring.
type Mode struct {
	Package string            // what to add to the standard library: a path in netring's module, "" for its root
	Instead map[string]string // see [Inject]
	Layers  []Layer           // in the order of their use
}

// Versions are the versions of Go that the modes are tested with.
var Versions = []string{"go1.25", "go1.26"}

// A Layer adds its changes to a Tree. Layers run one after the other. Each reads what the
// earlier ones have written.
type Layer func(*Tree) error

// NewTree returns the Tree of the toolchain in goroot. base is the user's own overlay, from
// absolute file names to absolute names of replacements; "" stands for a deleted file.
func NewTree(goroot string, base map[string]string) *Tree {
	return &Tree{GOROOT: goroot, base: maps.Clone(base), files: make(map[string][]byte)}
}

// Read returns the content of the named file, as the build will see it.
func (t *Tree) Read(name string) ([]byte, error) {
	if data, ok := t.files[name]; ok {
		return data, nil
	}
	if actual, ok := t.base[name]; ok {
		if actual == "" {
			return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
		}
		name = actual
	}
	return os.ReadFile(name)
}

// Write replaces or adds the file. The name is absolute.
func (t *Tree) Write(name string, data []byte) { t.files[name] = data }

// Src returns the name of a file or directory of the standard library.
func (t *Tree) Src(elem ...string) string {
	return filepath.Join(append([]string{t.GOROOT, "src"}, elem...)...)
}

// Save writes the files of the Tree and the overlay that names them below dir, and returns
// the overlay's file name. The name depends on the contents only, so that the go command
// finds in its build cache what it has built before.
func (t *Tree) Save(dir string) (string, error) {
	names := slices.Sorted(maps.Keys(t.files))
	key := t.key(names)
	final := filepath.Join(dir, key)
	if now := time.Now(); os.Chtimes(filepath.Join(final, overlayName), now, now) == nil {
		return filepath.Join(final, overlayName), nil // saved before
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp(dir, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp) // fails once renamed; else, what is left is removed by age
	replace := maps.Clone(t.base)
	if replace == nil {
		replace = make(map[string]string)
	}
	for i, name := range names {
		file := fmt.Sprintf("%03d-%s", i, filepath.Base(name))
		if err := writeOld(filepath.Join(temp, file), t.files[name]); err != nil {
			return "", err
		}
		replace[name] = filepath.Join(final, file)
	}
	data, err := json.MarshalIndent(struct{ Replace map[string]string }{replace}, "", "\t")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(temp, overlayName), data, 0o666); err != nil {
		return "", err
	}
	if err := os.Rename(temp, final); err != nil {
		if _, err2 := os.Stat(filepath.Join(final, overlayName)); err2 != nil {
			return "", err
		} // else another process has saved the same Tree meanwhile
	}
	return filepath.Join(final, overlayName), nil
}

const overlayName = "overlay.json"

// key returns a name for the contents of the Tree.
func (t *Tree) key(names []string) string {
	h := sha256.New()
	add := func(s string) {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	for _, name := range names {
		add(name)
		add(string(t.files[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(t.base)) {
		add(name)
		add(t.base[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// writeOld writes a file that seems to be old. The go command keeps an index of packages by
// the time and size of their files, but not of packages with files of the last seconds. Go
// 1.25 finds a package that exists in an overlay only through that index. The time depends
// on the content, so that the index of other content is not used.
func writeOld(name string, data []byte) error {
	if err := os.WriteFile(name, data, 0o666); err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	seconds := binary.LittleEndian.Uint32(sum[:]) % (20 * 365 * 24 * 3600)
	old := time.Unix(int64(seconds), 0)
	return os.Chtimes(name, old, old)
}
