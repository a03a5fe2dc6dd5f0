package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// become replaces this process by another program. So the program has the process ID, the
// terminal, the signals and the exit status that the caller expects.
func become(argv, env []string) error {
	file, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	if err := syscall.Exec(file, argv, env); err != nil {
		return fmt.Errorf("starting %s: %w", file, err)
	}
	return nil
}

// runWithStats runs the program, and prints netring's counters when it has ended. The program
// gets the signals that this process gets.
func runWithStats(argv []string) error {
	file := os.Getenv(statsEnv)
	if file == "" {
		dir, err := os.MkdirTemp("", "netring-try-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		file = filepath.Join(dir, "stats")
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), statsEnv+"="+file)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		for s := range signals {
			if !fromTerminal(s) {
				// The program may have ended already.
				_ = cmd.Process.Signal(s)
			}
		}
	}()
	failure := ended(cmd.Wait())
	r, found, err := readReport(strings.ReplaceAll(file, "%p", fmt.Sprint(cmd.Process.Pid)))
	switch {
	case err != nil:
		return err
	case !found:
		fmt.Fprintln(os.Stderr, "netring-try: the program has written no counters")
	default:
		fmt.Fprintln(os.Stderr, "netring-try:")
		r.print(os.Stderr, "  ")
	}
	return failure
}

// forwarded are the signals that the program receives from netring-try.
var forwarded = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// fromTerminal reports whether the terminal sends the signal to the program, too. A terminal
// sends it to each process of its foreground group.
func fromTerminal(s os.Signal) bool {
	if s != syscall.SIGINT && s != syscall.SIGQUIT && s != syscall.SIGWINCH {
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false // no terminal
	}
	defer tty.Close()
	group, err := foregroundGroup(tty)
	return err == nil && group == syscall.Getpgrp()
}

// ended returns the error for a program's end: its exit status, or 128 and the number of the
// signal that has killed it, as a shell does.
func ended(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return exitStatus(128 + int(ws.Signal()))
	}
	return exitStatus(exit.ExitCode())
}

// foregroundGroup returns the process group that the terminal sends its signals to, see
// tcgetpgrp(3).
func foregroundGroup(tty *os.File) (int, error) {
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	if errno != 0 {
		return 0, os.NewSyscallError("ioctl", errno)
	}
	return int(group), nil
}
