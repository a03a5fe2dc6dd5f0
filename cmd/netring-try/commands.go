package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/netring-go/netring/cmd/netring-try/internal/listener"
)

// statsEnv names the file to which a program that netring-try has built writes netring's
// counters. %p stands for the process ID.
const statsEnv = "NETRING_TRY_STATS"

// cmdTest is `go test` on netring.
func cmdTest(args []string) error {
	j, err := newJob(args, nil)
	if err != nil {
		return err
	}
	packages, testArgs := cutTestArgs(j.rest)
	j.request.list = append(j.request.list, laterFlags(packages)...)
	if j.rest, err = j.fetch(packages); err != nil {
		return err
	}
	if j.rest, err = j.expandStd(j.rest); err != nil {
		return err
	}
	if err := j.linkTests(j.rest); err != nil {
		return err
	}
	flags := j.flags
	if os.Getenv(statsEnv) != "" && !hasFlag(slices.Concat(j.flags, packages), "count") {
		flags = append(slices.Clip(flags), "-count=1") // a cached result would write no counters
	}
	command, err := j.command("test", flags, slices.Concat(j.rest, testArgs)...)
	if err != nil {
		return err
	}
	return j.becomeGo(command)
}

// cmdBuild is `go build` on netring.
func cmdBuild(args []string) error {
	j, err := newJob(args, nil)
	if err != nil {
		return err
	}
	flags, rest := j.flags, j.rest
	if len(rest) == 0 {
		rest = []string{"."}
	}
	// The program of a module that is not here must not land in the copy of the module.
	if here := j.tc.dir; strings.Contains(rest[0], "@") {
		out, _ := flagValue(flags, "o")
		flags = append(withoutFlag(flags, "o"), "-o="+absOutput(here, out))
	}
	if rest, err = j.fetch(rest); err != nil {
		return err
	}
	if rest, err = j.linkMain(rest); err != nil {
		return err
	}
	command, err := j.command("build", flags, rest...)
	if err != nil {
		return err
	}
	return j.becomeGo(command)
}

// absOutput returns the value of -o for a build in another directory than dir.
func absOutput(dir, out string) string {
	slash := ""
	if out == "" || strings.HasSuffix(out, "/") {
		slash = "/"
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(dir, out)
	}
	return strings.TrimSuffix(out, "/") + slash
}

// cmdRun is `go run` on netring, except that the program takes the place of netring-try: it
// receives the signals, and its exit status is that of the command.
func cmdRun(args []string) error {
	own := flag.NewFlagSet("run", flag.ContinueOnError)
	stats := own.Bool("stats", false, "")
	j, err := newJob(args, own)
	if err != nil {
		return err
	}
	dir := j.tc.dir
	packages, programArgs, err := cutProgram(j.rest)
	if err != nil {
		return err
	}
	if packages, err = j.fetch(packages); err != nil {
		return err
	}
	program, err := j.buildProgram(packages)
	if err != nil {
		return err
	}
	argv := append([]string{program}, programArgs...)
	if wrapper, ok := flagValue(j.flags, "exec"); ok {
		argv = append(strings.Fields(wrapper), argv...)
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	if *stats {
		return runWithStats(argv)
	}
	return become(argv, os.Environ())
}

// cutProgram separates the package or files to run from the program's arguments.
func cutProgram(rest []string) (packages, args []string, err error) {
	n := len(goFiles(rest))
	if n == 0 {
		n = 1
	}
	if len(rest) == 0 {
		return nil, nil, errors.New("no program; give a directory, an import path, .go files, or path@version")
	}
	return rest[:n], rest[n:], nil
}

// buildProgram builds the program on netring and returns its file name.
func (j *job) buildProgram(packages []string) (string, error) {
	out := j.programDir(j.variant(), packages)
	packages, err := j.linkMain(packages)
	if err != nil {
		return "", err
	}
	flags := withoutFlag(withoutFlag(j.flags, "exec"), "o")
	command, err := j.command("build", append(flags, "-o="+out+"/"), packages...)
	if err != nil {
		return "", err
	}
	return j.tc.build(command, out)
}

// build runs a go build that writes one program to the directory out, and returns the
// program's file name.
func (t *toolchain) build(command []string, out string) (string, error) {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return "", err
	}
	cmd := exec.Command(t.command, command...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = t.dir, t.env, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", buildFailed(err)
	}
	now := time.Now()
	if err := os.Chtimes(out, now, now); err != nil { // used now, see removeOld
		return "", err
	}
	files, err := os.ReadDir(out)
	if err != nil {
		return "", err
	}
	files = slices.DeleteFunc(files, fs.DirEntry.IsDir)
	if len(files) != 1 {
		return "", fmt.Errorf("go build has written %d programs to %s; name one package main", len(files), out)
	}
	return filepath.Join(out, files[0].Name()), nil
}

// buildFailed turns the failure of a go command, which has printed why, into its exit status.
func buildFailed(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exitStatus(exit.ExitCode())
	}
	return err
}

// exitStatus is an error that has been printed already.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// becomeGo replaces this process by the go command.
func (j *job) becomeGo(command []string) error {
	if err := os.Chdir(j.tc.dir); err != nil {
		return err
	}
	return become(append([]string{j.tc.command}, command...), j.tc.env)
}

// expandStd replaces patterns of the standard library, such as net/http/..., by the packages
// that match. The go command does not look for packages behind symbolic links, which the
// toolchain's directory consists of, see overlay.ShadowRoot.
func (j *job) expandStd(args []string) ([]string, error) {
	var expanded []string
	ops := operands(args)
	for i, a := range args {
		first, _, _ := strings.Cut(a, "/")
		pattern := a == "std" || a == "cmd" || strings.Contains(a, "...") && !strings.Contains(first, ".")
		if !pattern || !slices.Contains(ops, i) {
			expanded = append(expanded, a)
			continue
		}
		out, err := j.tc.plain.output(slices.Concat([]string{"list"}, j.request.list, []string{"--", a})...)
		if err != nil {
			return nil, err
		}
		expanded = append(expanded, strings.Fields(string(out))...)
	}
	return expanded, nil
}

// linkTests makes the job's overlay link netring into the tests of the packages that the
// arguments of `go test` name. In deep mode, package net links netring.
func (j *job) linkTests(args []string) error {
	if j.deep {
		return nil
	}
	j.layers = append(j.layers, listener.LinkTests)
	var patterns []string
	for _, i := range operands(args) {
		if len(patterns) > 0 && (args[i-1] != patterns[len(patterns)-1]) {
			break // the go command takes packages that stand together
		}
		patterns = append(patterns, args[i])
	}
	if files := goFiles(patterns); len(files) > 0 && len(files) == len(patterns) {
		return nil // the package consists of these files
	}
	pkgs, err := j.list(patterns...)
	if err != nil {
		return err
	}
	for _, p := range pkgs {
		if !p.Standard && !j.tc.inModuleCache(p.Dir) {
			j.layers = append(j.layers, listener.LinkTested(p.Dir, p.Name, len(p.TestGoFiles) > 0, len(p.XTestGoFiles) > 0))
		}
	}
	return nil
}
