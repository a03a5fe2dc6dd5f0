// Package leakcheck fails a test binary that leaks goroutines or descriptors.
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

// Main runs the tests, checks for leaks and exits. TestMain calls Main.
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

// Descriptors fails t if the test leaves a descriptor open that was not open at the
// call. A test must call Descriptors before it registers other cleanups.
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

// newDescriptors returns an error that lists the open descriptors that are not in
// before. Package net and the runtime close some descriptors in the background, so
// newDescriptors waits for a while first.
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

// startNetpoller makes the runtime open the descriptors of its netpoller. They stay
// open, so they must be open before the first count.
var startNetpoller = sync.OnceValue(func() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	return errors.Join(r.Close(), w.Close())
})

// descriptors returns the targets of the process's open descriptors by number, nil on a
// system without /proc.
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
		if err != nil { // closed in the meantime, like ReadDir's own descriptor
			continue
		}
		fds[e.Name()] = target
	}
	return fds, nil
}
