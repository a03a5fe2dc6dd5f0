// Package deep runs package net's own connections on netring. It changes a few functions of
// internal/poll, so that the descriptor of a connected stream socket (TCP or unix) waits on a
// netring reactor instead of Go's netpoller, and so that its Read, Write and Writev are the
// reactor's. The program's types, errors and descriptors stay the same: *net.TCPConn is still
// *net.TCPConn. Package net imports the reactors, so nothing is linked into the program.
package deep

import (
	"embed"
	"fmt"
	"go/version"
	"slices"
	"strings"

	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

// files are what the changed functions call, and the package that connects internal/poll with
// the reactors.
//
//go:embed src
var files embed.FS

// Mode returns the mode for a toolchain of the version, which builds for the architecture.
func Mode(goversion, goarch string) overlay.Mode {
	return overlay.Mode{
		Package: "reactor/deep",
		Instead: map[string]string{"net": overlay.Prefix + "/net"}, // which is in files
		Layers: []overlay.Layer{
			func(*overlay.Tree) error { return checkVersion(goversion) },
			func(t *overlay.Tree) error { return checkUses(t, goarch) },
			addFields,
			overlay.Insert(insertions...),
			overlay.Files(files),
		},
	}
}

// checkVersion fails for versions of Go whose internal/poll may have parts that no insertion
// knows, though the functions of the insertions look the same.
func checkVersion(goversion string) error {
	release, _, _ := strings.Cut(goversion, " ") // go1.26.8 X:experiment
	if !slices.Contains(overlay.Versions, version.Lang(release)) {
		return fmt.Errorf("%s is unknown to -deep", goversion)
	}
	return nil
}
