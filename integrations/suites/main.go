package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const usage = `Usage: suites [flags] [suites]

Runs the tests of other projects on package net and on netring, and writes
docs/compatibility.md. Without names, it runs all suites.

Flags:
`

// errUnknown is the error for failures that the table of known differences lacks.
var errUnknown = errors.New("netring has failures that package net has not")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	columns, names []string
	check          bool
	served         bool
	renderOnly     bool
	list           bool
}

func parse(args []string) (*options, error) {
	fs := flag.NewFlagSet("suites", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), usage)
		fs.PrintDefaults()
	}
	o := &options{}
	names := fs.String("columns", "", "run only these `columns`, separated by commas")
	fs.BoolVar(&o.check, "check", false, "count what netring-try check finds in well-known programs, instead of suites")
	fs.BoolVar(&o.served, "served", false, "count the connections that the suites make on netring, instead of failures")
	fs.BoolVar(&o.renderOnly, "render", false, "run nothing; write the page from the results")
	fs.BoolVar(&o.list, "list", false, "list suites and columns")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if o.names = fs.Args(); *names != "" {
		o.columns = strings.Split(*names, ",")
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.list {
		return list()
	}
	root, err := findRoot()
	if err != nil {
		return err
	}
	file := filepath.Join(root, "integrations", "suites", "results.json")
	st, err := readStore(file)
	if err != nil {
		return err
	}
	switch {
	case o.renderOnly:
	case o.check:
		err = runChecks(ctx, root, st, file, o.names)
	default:
		err = runSuites(ctx, root, st, file, o)
	}
	if err != nil {
		return err
	}
	text, err := render(st, suites, knownDifferences, programs)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, "docs", "compatibility.md"), text, 0o666); err != nil {
		return err
	}
	lines, ok := judge(st, suites, knownDifferences).report()
	for _, line := range lines {
		fmt.Println(line)
	}
	if !ok {
		return errUnknown
	}
	return nil
}

func list() error {
	for _, s := range suites {
		fmt.Printf("%-20s %s %s\n", s.name, s.module, strings.Join(s.packages, " "))
	}
	for _, c := range columns {
		fmt.Printf("column %-20s %s %s\n", c.name, strings.Join(c.mode, " "), c.engine)
	}
	return nil
}

// findRoot returns the root of netring's repository, which the working directory is below.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		data, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && bytes.HasPrefix(data, []byte("module github.com/netring-go/netring\n")) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not below a checkout of netring; use .ci/suites", dir)
		}
	}
}

// chosen returns the elements with the given names, all without names.
func chosen[T any](all []T, names []string, name func(T) string, kind string) ([]T, error) {
	if len(names) == 0 {
		return all, nil
	}
	for _, n := range names {
		if !slices.ContainsFunc(all, func(x T) bool { return name(x) == n }) {
			return nil, fmt.Errorf("there is no %s %q; -list lists them", kind, n)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(x T) bool { return !slices.Contains(names, name(x)) }), nil
}

func runSuites(ctx context.Context, root string, st *store, file string, o *options) error {
	ss, err := chosen(suites, o.names, func(s suite) string { return s.name }, "suite")
	if err != nil {
		return err
	}
	cs, err := chosen(columns, o.columns, func(c column) string { return c.name }, "column")
	if err != nil {
		return err
	}
	version, err := goVersion(ctx)
	if err != nil {
		return err
	}
	m, err := newMachine(ctx, root)
	if err != nil {
		return err
	}
	var errs []error // a suite that cannot run must not keep the others from running
	for _, s := range ss {
		if o.served {
			err = serve(ctx, m, s, s.takes(cs), st)
		} else {
			var results map[string]*result
			results, err = runSuite(ctx, m, s, s.takes(cs), knownDifferences, say)
			for _, r := range results {
				r.Go, r.Date = version, today()
			}
			if err == nil {
				st.put(s, results)
			}
		}
		errs = append(errs, err, st.write(file))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// serve counts what netring serves in the columns of a suite that have results and count it.
func serve(ctx context.Context, m goTester, s suite, cs []column, st *store) error {
	for _, c := range cs {
		r := st.Suites[s.name]
		if !slices.Contains(dial, c.name) || r == nil || r.Columns[c.name] == nil {
			continue
		}
		say("%s: %s: what netring serves", s.name, c.name)
		sum, err := countServed(ctx, m, s, c)
		if err != nil {
			return fmt.Errorf("suite %s, column %s: %w", s.name, c.name, err)
		}
		r.Columns[c.name].Served = sum
	}
	return nil
}

func runChecks(ctx context.Context, root string, st *store, file string, names []string) error {
	ps, err := chosen(programs, names, func(p program) string { return p.name }, "program")
	if err != nil {
		return err
	}
	m, err := newMachine(ctx, root)
	if err != nil {
		return err
	}
	for _, p := range ps {
		say("check %s", p.name)
		r, err := m.check(ctx, p)
		if err != nil {
			return err
		}
		st.Checks[p.name] = r
		if err := st.write(file); err != nil {
			return err
		}
	}
	return nil
}

// check counts what netring-try check finds in a program.
func (m *machine) check(ctx context.Context, p program) (*checkResult, error) {
	dir, err := m.module(ctx, p.module)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, m.try, "check", "-json", "-e", p.pattern)
	cmd.Dir, cmd.Env = dir, append(plainEnviron(), "GOFLAGS=-mod=mod")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("netring-try check of %s: %w\n%s", p.module, err, tail(stderr.Bytes()))
	}
	r := &checkResult{Module: p.module, Date: today()}
	if err := json.Unmarshal(out, r); err != nil {
		return nil, fmt.Errorf("output of netring-try check of %s: %w", p.module, err)
	}
	return r, nil
}

func goVersion(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOVERSION: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}
