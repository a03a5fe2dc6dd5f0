package main

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/netring-go/netring/cmd/netring-try/internal/deep"
	"github.com/netring-go/netring/cmd/netring-try/internal/listener"
	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

// job is one use of the go command, prepared.
type job struct {
	*request
	tc     *toolchain
	layers []overlay.Layer // besides those that all builds need
	cache  string

	deep    bool   // netring below package net, see package deep
	dial    bool   // dialled connections run on netring, too, as they always do with deep
	netring string // directory or version of netring
}

// newJob parses the arguments of a subcommand and finds the toolchain. own are the flags of the
// subcommand, nil if it has none.
func newJob(args []string, own *flag.FlagSet) (*job, error) {
	j := &job{}
	if own == nil {
		own = flag.NewFlagSet("", flag.ContinueOnError)
	}
	own.BoolVar(&j.deep, "deep", false, "")
	own.BoolVar(&j.dial, "dial", false, "")
	own.StringVar(&j.netring, "netring", "", "")
	var err error
	if j.request, err = parseArgs(args, own); err != nil {
		return nil, err
	}
	if j.cache, err = cacheDir(); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(j.chdir)
	if err != nil {
		return nil, err
	}
	if j.tc, err = findToolchain(dir, j.cache); err != nil {
		return nil, err
	}
	return j, nil
}

// cacheDir returns the directory for overlays and programs. What has not been used for a week
// is removed from it.
func cacheDir() (string, error) {
	dir := os.Getenv("NETRING_TRY_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			user = os.TempDir()
		}
		dir = filepath.Join(user, "netring-try")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("NETRING_TRY_CACHE: %w", err)
	}
	for _, kind := range []string{overlays, programs, modules} {
		if err := removeOld(filepath.Join(dir, kind), 7*24*time.Hour); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// Parts of the cache.
const (
	overlays = "overlay"
	programs = "bin"
	modules  = "mod"
)

// removeOld removes the entries of dir that have not been used for the given time: neither
// they nor the files in them have changed.
func removeOld(dir string, age time.Duration) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		files, err := os.ReadDir(name)
		if err != nil {
			continue // removed meanwhile, by another process
		}
		latest := time.Time{}
		for _, f := range append(files, e) {
			if info, err := f.Info(); err == nil && info.ModTime().After(latest) {
				latest = info.ModTime()
			}
		}
		if time.Since(latest) < age {
			continue
		}
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}

// mode returns how the program is to use netring.
func (j *job) mode() overlay.Mode {
	if j.deep {
		return deep.Mode(j.tc.GOVERSION, j.tc.GOARCH)
	}
	return listener.Mode(j.dial)
}

// saveOverlay writes the overlay of the job and returns its file name.
func (j *job) saveOverlay() (string, error) {
	base, err := j.tc.userOverlay(j.overlay)
	if err != nil {
		return "", err
	}
	t, mode := overlay.NewTree(j.tc.GOROOT, base), j.mode()
	for _, layer := range mode.Layers {
		if err := layer(t); err != nil {
			return "", fmt.Errorf("the standard library of %s in %s does not look as expected: %w; use one of %s, as in GOTOOLCHAIN=%s.0",
				j.tc.GOVERSION, j.tc.GOROOT, err, strings.Join(overlay.Versions, " and "), overlay.Versions[len(overlay.Versions)-1])
		}
	}
	pkgs, err := j.tc.netringPackages(j.netring, mode.Package, j.request.list)
	if err != nil {
		return "", err
	}
	for _, layer := range append([]overlay.Layer{overlay.Inject(pkgs, mode.Instead)}, j.layers...) {
		if err := layer(t); err != nil {
			return "", err
		}
	}
	return t.Save(filepath.Join(j.cache, overlays))
}

// goFiles returns the leading arguments that are names of Go files.
func goFiles(args []string) []string {
	n := slices.IndexFunc(args, func(a string) bool { return !strings.HasSuffix(a, ".go") })
	if n < 0 {
		n = len(args)
	}
	return args[:n]
}

// linkMain makes the job's overlay link netring into the packages main that the arguments
// name, and returns the arguments for `go build`. In deep mode, package net links netring.
func (j *job) linkMain(args []string) ([]string, error) {
	if j.deep {
		return args, nil
	}
	pkgs, err := j.list(args...)
	if err != nil {
		return nil, err
	}
	for _, p := range pkgs {
		if p.Name != "main" {
			continue
		}
		if j.tc.inModuleCache(p.Dir) {
			return nil, fmt.Errorf("%s is in the module cache, where the go command does not let a build change files; give its version, as in %s@latest", p.ImportPath, p.ImportPath)
		}
		j.layers = append(j.layers, listener.LinkMain(p.Dir))
	}
	if len(pkgs) > 0 && len(goFiles(args)) == len(args) {
		return append(slices.Clip(args), listener.MainLink(filepath.Dir(args[0]))), nil
	}
	return args, nil
}

// command returns the arguments of the go command: the flags with the overlay, and args.
func (j *job) command(verb string, flags []string, args ...string) ([]string, error) {
	file, err := j.saveOverlay()
	if err != nil {
		return nil, err
	}
	return slices.Concat([]string{verb, "-overlay=" + file}, flags, args), nil
}

// programDir returns the directory for the program of a command line, of one kind. The same command line
// has the same directory, so that the go command links a program again only if it changed.
func (j *job) programDir(kind string, args []string) string {
	h := sha256.New()
	for _, s := range slices.Concat([]string{j.tc.dir, j.tc.GOVERSION, kind}, j.flags, []string{"--"}, args) {
		fmt.Fprintf(h, "%d %s", len(s), s)
	}
	return filepath.Join(j.cache, programs, hex.EncodeToString(h.Sum(nil)[:16]))
}
