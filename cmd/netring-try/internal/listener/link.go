package listener

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

// hookPath is the import path of the package that sets package net's hooks.
const hookPath = overlay.Prefix + "/hook"

// Names of the files that import the hook into a package.
const (
	linkName      = "zz_netring_try.go"
	linkTestName  = "zz_netring_try_test.go"
	linkXTestName = "zz_netring_try_x_test.go"
)

// link returns the file that imports the hook into the named package.
func link(name string) []byte {
	return fmt.Appendf(nil, "package %s\n\nimport _ %q\n", name, hookPath)
}

// LinkTests is the Layer that imports the hook into each test binary: into a package that
// the main function of all tests uses. So it does not matter which tests a package has.
func LinkTests(t *overlay.Tree) error {
	dir := t.Src("testing", "internal", "testdeps")
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("the toolchain has no package testing/internal/testdeps, into which netring-try links netring; use one of %q: %w", overlay.Versions, err)
	}
	t.Write(filepath.Join(dir, linkName), link("testdeps"))
	return nil
}

// LinkTested returns the Layer that imports the hook into the tests of the package in dir, too,
// so that the hook is set before the package's variables are initialised. LinkTests alone
// promises that for the test functions only.
func LinkTested(dir, name string, internal, external bool) overlay.Layer {
	return func(t *overlay.Tree) error {
		if internal {
			if err := add(t, filepath.Join(dir, linkTestName), link(name)); err != nil {
				return err
			}
		}
		if external {
			return add(t, filepath.Join(dir, linkXTestName), link(name+"_test"))
		}
		return nil
	}
}

// LinkMain returns the Layer that imports the hook into the package main in dir. The added file
// must be an argument of `go build`, too, if the package is given as a list of files; its name
// is [MainLink](dir).
func LinkMain(dir string) overlay.Layer {
	return func(t *overlay.Tree) error { return add(t, MainLink(dir), link("main")) }
}

// MainLink returns the name of the file that [LinkMain] adds to dir.
func MainLink(dir string) string { return filepath.Join(dir, linkName) }

// add adds a file to a package of the program.
func add(t *overlay.Tree, name string, data []byte) error {
	if _, err := t.Read(name); err == nil {
		return fmt.Errorf("%s exists; netring-try needs this file name: rename the file", name)
	}
	t.Write(name, data)
	return nil
}
