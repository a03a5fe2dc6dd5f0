// Package leakcheck fails a test binary that leaves goroutines or descriptors
// behind.
package leakcheck

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Main is what TestMain calls: it runs the tests, looks for leaks and exits.
func Main(m *testing.M) {
	before, err := descriptors()
	if err != nil {
		fmt.Fprintln(os.Stderr, "leakcheck:", err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 {
		if err := errors.Join(goleak.Find(), newDescriptors(before)); err != nil {
			fmt.Fprintln(os.Stderr, "leakcheck:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Descriptors fails t if descriptors that were not open when it was called are
// open when the test ends. It must be called before anything else the test
// cleans up.
func Descriptors(t testing.TB) {
	t.Helper()
	before, err := descriptors()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := newDescriptors(before); err != nil {
			t.Error(err)
		}
	})
}

// newDescriptors says which descriptors are open that are not in before. Package
// net and the runtime close some in the background, so it waits a little before
// it complains.
func newDescriptors(before map[string]string) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		now, err := descriptors()
		if err != nil {
			return err
		}
		var extra []string
		for fd, what := range now {
			if before[fd] == "" {
				extra = append(extra, fd+" → "+what)
			}
		}
		if len(extra) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("descriptors left open: %s", strings.Join(extra, ", "))
		}
		runtime.GC() // closes what package net's finalizers close
		time.Sleep(10 * time.Millisecond)
	}
}

// startNetpoller makes the runtime open the descriptors of its netpoller, which
// stay open, so that they are there before the first count.
var startNetpoller = sync.OnceValue(func() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	return errors.Join(r.Close(), w.Close())
})

// descriptors lists the process's open descriptors: number and target. Where
// there is no /proc, it knows of none.
func descriptors() (map[string]string, error) {
	if err := startNetpoller(); err != nil {
		return nil, err
	}
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fds := make(map[string]string)
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil { // closed in the meantime, as is the one ReadDir used
			continue
		}
		fds[e.Name()] = target
	}
	return fds, nil
}
