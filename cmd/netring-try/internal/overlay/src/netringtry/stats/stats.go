//go:build netring_try_overlay

// Package stats writes netring's counters to a file while the program runs. In deep mode,
// package net imports it, so it must not import what the tests of package net's users replace:
// encoding/json's own tests import package net.
package stats

import (
	"internal/runtime/exithook"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// env names the file that receives the counters. %p in the name stands for the process ID.
const env = "NETRING_TRY_STATS"

// interval is how often the counters are read and written.
const interval = 100 * time.Millisecond

// reporter writes the counters of this process.
type reporter struct {
	report func() ([]byte, error) // returns the content of the file

	mu      sync.Mutex
	file    string // "" after a failure
	written string
}

// Start starts writing what report returns, if the environment asks for the file. It uses a
// timer, not a goroutine, so that leak checks find nothing. The last report is written when
// the process exits. A process killed by a signal leaves the report before. Calls of report do
// not overlap.
func Start(report func() ([]byte, error)) {
	file := os.Getenv(env)
	if file == "" {
		return
	}
	r := &reporter{report: report, file: strings.ReplaceAll(file, "%p", strconv.Itoa(os.Getpid()))}
	r.write()
	exithook.Add(exithook.Hook{F: r.write, RunOnFailure: true})
	time.AfterFunc(interval, r.tick)
}

func (r *reporter) tick() {
	r.write()
	time.AfterFunc(interval, r.tick)
}

// write replaces the file if a counter has changed. A failure is printed once: it must not
// disturb the program.
func (r *reporter) write() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == "" {
		return
	}
	data, err := r.report()
	if err == nil && string(data) != r.written {
		err = replace(r.file, data)
		r.written = string(data)
	}
	if err != nil {
		os.Stderr.WriteString("netring-try: " + env + ": " + err.Error() + "; give the name of a file in a directory that exists\n")
		r.file = ""
	}
}

// replace writes the file in one step, so that a reader never sees half of it.
func replace(file string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
