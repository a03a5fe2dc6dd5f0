//go:build !linux

package main

import (
	"errors"
	"os"
	"os/exec"
)

// become runs another program and ends with its exit status. Outside Linux, netring-try can
// build programs for Linux, but not run them.
func become(argv, env []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
	return buildFailed(cmd.Run())
}

func runWithStats([]string) error {
	return errors.New("a program on netring runs on Linux only; use build")
}
