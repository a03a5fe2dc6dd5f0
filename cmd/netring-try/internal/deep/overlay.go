package deep

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config says what an overlay is for.
type Config struct {
	GOROOT    string // of the toolchain that will use the overlay
	GoVersion string // of that toolchain, as go env GOVERSION prints it
	GOOS      string // what it builds for
	GOARCH    string
	Modules   Modules
}

// Modules are the directories of the modules whose packages the overlay adds to the
// standard library. See FindModules.
type Modules struct {
	Netring string // github.com/netring-go/netring
	Sys     string // golang.org/x/sys
	IOURing string // github.com/iceber/iouring-go
}

// goVersions are the Go releases whose internal/poll is known.
var goVersions = []string{"go1.25", "go1.26"}

// Overlay returns the overlay: the contents of each file that replaces, or is added to,
// one in GOROOT. It fails for an unknown Go version, for systems other than Linux, and if
// GOROOT's sources do not look as expected.
func Overlay(cfg Config) (map[string][]byte, error) {
	if !known(cfg.GoVersion) {
		return nil, fmt.Errorf("netring: deep mode knows %s, not %q; set GOTOOLCHAIN to one of them",
			strings.Join(goVersions, " and "), cfg.GoVersion)
	}
	if cfg.GOOS != "linux" {
		return nil, fmt.Errorf("netring: deep mode is for linux, and GOOS is %q; build without deep mode", cfg.GOOS)
	}
	overlay := make(map[string][]byte)
	for _, add := range []func(Config, map[string][]byte) error{addRewritten, addGlue, addPackages} {
		if err := add(cfg, overlay); err != nil {
			return nil, fmt.Errorf("netring: deep mode for %s: %w", cfg.GoVersion, err)
		}
	}
	return overlay, nil
}

// known reports whether version is a release of one of goVersions.
func known(version string) bool {
	return slices.ContainsFunc(goVersions, func(v string) bool {
		rest, ok := strings.CutPrefix(version, v)
		return ok && (rest == "" || strings.IndexByte(".-r ", rest[0]) >= 0) // go1.26.8, go1.26rc1, go1.26.8 X:...
	})
}

// Write stores the overlay's files in dir, which must be empty, and returns the path of
// the file for go build's -overlay flag. dir must exist for as long as that file is used.
func Write(dir string, overlay map[string][]byte) (path string, err error) {
	var index struct{ Replace map[string]string }
	index.Replace = make(map[string]string, len(overlay))
	// The go command keeps an index of GOROOT's packages, but leaves out what was changed
	// less than two seconds ago. Go 1.25 finds directories that only an overlay has in
	// that index alone.
	settled := time.Now().Add(-time.Minute)
	for i, name := range slices.Sorted(maps.Keys(overlay)) {
		// The number keeps files of one name apart.
		file := filepath.Join(dir, fmt.Sprintf("%04d-%s", i, filepath.Base(name)))
		if err := os.WriteFile(file, overlay[name], 0o666); err != nil {
			return "", fmt.Errorf("netring: write the overlay: %w", err)
		}
		if err := os.Chtimes(file, settled, settled); err != nil {
			return "", fmt.Errorf("netring: write the overlay: %w", err)
		}
		index.Replace[name] = file
	}
	text, err := json.MarshalIndent(index, "", "\t")
	if err != nil {
		return "", fmt.Errorf("netring: encode the overlay: %w", err)
	}
	path = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, text, 0o666); err != nil {
		return "", fmt.Errorf("netring: write the overlay: %w", err)
	}
	return path, nil
}
