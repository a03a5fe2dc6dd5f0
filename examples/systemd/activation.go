//go:build unix

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// firstFD is the first descriptor that systemd passes, see sd_listen_fds(3).
const firstFD = 3

// The environment variables of socket activation.
const (
	envPID   = "LISTEN_PID"     // the process that the descriptors are for
	envFDs   = "LISTEN_FDS"     // their number
	envNames = "LISTEN_FDNAMES" // their names, from FileDescriptorName= in the socket unit
)

// inherited returns the descriptors that systemd has passed to this process, with their
// names, none if it has not passed any. It removes the environment variables, so that
// programs that this one starts do not take the descriptors for theirs.
func inherited() (files []*os.File, err error) {
	names, err := activation(os.Getenv, os.Getpid())
	if err != nil {
		return nil, err
	}
	for _, name := range []string{envPID, envFDs, envNames} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	for i, name := range names {
		files = append(files, os.NewFile(uintptr(firstFD+i), name))
	}
	return files, nil
}

// activation returns the names of the descriptors for the process pid.
func activation(getenv func(string) string, pid int) (names []string, err error) {
	if getenv(envPID) != strconv.Itoa(pid) {
		return nil, nil // there are none, or they are for the process that started this one
	}
	n, err := strconv.Atoi(getenv(envFDs))
	if err != nil || n < 0 {
		return nil, fmt.Errorf("%s is %q; it must be a number of descriptors", envFDs, getenv(envFDs))
	}
	if getenv(envNames) != "" {
		names = strings.Split(getenv(envNames), ":")
		if len(names) != n {
			return nil, fmt.Errorf("%s is %q; it must name %d descriptors", envNames, getenv(envNames), n)
		}
		return names, nil
	}
	for range n {
		names = append(names, "unknown")
	}
	return names, nil
}
