package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// job is one use of `go test`.
type job struct {
	suite    suite
	column   column
	packages []string
	only     []string // tests to run, nil for all
	skip     []string // tests to skip
	timeout  time.Duration
	stats    bool // write netring's counters
}

// goTester runs jobs. The tests of this program use a fake.
type goTester interface {
	// test returns the output of `go test -json`.
	test(ctx context.Context, j job) ([]byte, error)
	// served returns what netring has served since the last call.
	served() (served, error)
}

// served counts what netring has made in the programs under test.
type served struct {
	Listeners int64 `json:"listeners"`
	Dials     int64 `json:"dials"`
}

// machine runs jobs with the go command and netring-try.
type machine struct {
	cache string // for modules, logs and netring-try
	try   string // netring-try's file
	stats string // directory for netring's counters
	jobs  int    // run so far
}

// buildTime is how long compiling may take, besides the tests' own timeout.
const buildTime = 15 * time.Minute

func newMachine(ctx context.Context, root string) (*machine, error) {
	cache := os.Getenv("NETRING_SUITES_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		cache = filepath.Join(user, "netring-suites")
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return nil, err
	}
	m := &machine{cache: cache, try: filepath.Join(cache, "netring-try"), stats: filepath.Join(cache, "stats")}
	for _, dir := range []string{m.stats, filepath.Join(cache, "log"), filepath.Join(cache, "std")} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", m.try, ".")
	cmd.Dir = filepath.Join(root, "cmd", "netring-try")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building netring-try: %w\n%s", err, out)
	}
	return m, nil
}

// command returns the command line of a job, and what it adds to the environment.
func (m *machine) command(j job) (args, env []string) {
	if j.column.mode == nil {
		args = []string{"go", "test"}
	} else {
		args = append([]string{m.try, "test"}, j.column.mode...)
		env = []string{"NETRING_ENGINE=" + j.column.engine}
		if j.stats {
			env = append(env, "NETRING_TRY_STATS="+filepath.Join(m.stats, "%p.json"))
		}
	}
	args = append(args, "-json", "-vet=off", "-count=1", "-timeout="+j.timeout.String())
	if j.suite.module != "" {
		args = append(args, "-mod=mod")
	}
	flags := j.suite.flags
	if j.only != nil { // in place of the suite's own selection
		flags = withoutRun(flags)
		args = append(args, "-run="+pattern(j.only))
	}
	if len(j.skip) > 0 {
		args = append(args, "-skip="+pattern(j.skip))
	}
	return slices.Concat(args, flags, j.packages), env
}

// withoutRun returns flags without -run and its value.
func withoutRun(flags []string) []string {
	i := slices.Index(flags, "-run")
	if i < 0 {
		return flags
	}
	return slices.Concat(flags[:i], flags[i+2:])
}

// pattern returns the value of -run or -skip for tests and subtests.
func pattern(tests []string) string {
	var all []string
	for _, t := range tests {
		var parts []string
		for part := range strings.SplitSeq(t, "/") {
			parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
		}
		all = append(all, strings.Join(parts, "/"))
	}
	return strings.Join(all, "|")
}

func (m *machine) test(ctx context.Context, j job) ([]byte, error) {
	dir := filepath.Join(m.cache, "std") // the directory decides nothing for the standard library
	if j.suite.module != "" {
		var err error
		if dir, err = m.module(ctx, j.suite.module); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, buildTime+time.Duration(len(j.packages))*j.timeout)
	defer cancel()
	args, env := m.command(j)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(plainEnviron(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// The tests are grandchildren, so a timeout has to kill the whole group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	m.jobs++
	log := filepath.Join(m.cache, "log", fmt.Sprintf("%s-%s-%d.json", strings.ReplaceAll(j.suite.name, "/", "-"), j.column.name, m.jobs))
	if err := os.WriteFile(log, append(stdout.Bytes(), stderr.Bytes()...), 0o666); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(args, " "), ctx.Err())
	}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || !bytes.Contains(stdout.Bytes(), []byte(`"Action":"fail"`))) {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, tail(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// tail returns the end of what a command has printed.
func tail(out []byte) []byte {
	const most = 4000
	out = bytes.TrimSpace(out)
	return out[max(0, len(out)-most):]
}

// plainEnviron returns the environment without settings for netring, so that each column has
// its own only, and without a workspace.
func plainEnviron() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "NETRING_ENGINE=") || strings.HasPrefix(v, "NETRING_TRY_STATS=") ||
			strings.HasPrefix(v, "NETRING_DEEP_STATS=")
	})
	return append(env, "GOWORK=off")
}

// served adds up and removes the files with counters.
func (m *machine) served() (served, error) {
	files, err := filepath.Glob(filepath.Join(m.stats, "*.json"))
	if err != nil {
		return served{}, err
	}
	var sum served
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return served{}, err
		}
		var s served
		if err := json.Unmarshal(data, &s); err != nil {
			return served{}, fmt.Errorf("netring's counters: %w", err)
		}
		sum.Listeners += s.Listeners
		sum.Dials += s.Dials
		if err := os.Remove(file); err != nil {
			return served{}, err
		}
	}
	return sum, nil
}

// module returns the directory of a copy of a module. In the module cache, no build may change
// files, and tests may write to their directory.
func (m *machine) module(ctx context.Context, version string) (string, error) {
	dir := filepath.Join(m.cache, "mod", strings.ReplaceAll(version, "/", "-"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", version)
	cmd.Dir, cmd.Env = os.TempDir(), plainEnviron()
	out, err := cmd.Output()
	var mod struct{ Dir, Error string }
	if err2 := json.Unmarshal(out, &mod); err2 != nil {
		return "", fmt.Errorf("go mod download %s: %w", version, errors.Join(err, err2))
	}
	if err != nil {
		return "", fmt.Errorf("go mod download %s: %s", version, mod.Error)
	}
	temp := dir + ".new"
	if err := errors.Join(os.RemoveAll(temp), os.CopyFS(temp, os.DirFS(mod.Dir))); err != nil {
		return "", fmt.Errorf("copying module %s: %w", version, err)
	}
	if err := writable(temp); err != nil {
		return "", fmt.Errorf("copying module %s: %w", version, err)
	}
	if _, err := os.Stat(filepath.Join(temp, "go.mod")); errors.Is(err, fs.ErrNotExist) {
		path, _, _ := strings.Cut(version, "@")
		if err := os.WriteFile(filepath.Join(temp, "go.mod"), []byte("module "+path+"\n"), 0o666); err != nil {
			return "", err
		}
	}
	return dir, os.Rename(temp, dir)
}

// writable makes the files below dir writable for their owner.
func writable(dir string) error {
	return filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return os.Chmod(name, info.Mode().Perm()|0o600)
	})
}
