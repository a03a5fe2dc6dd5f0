// Package listener has net.Listen and net.Dial of a program return netring's listeners and
// connections. A hook is called first in net.ListenConfig.Listen and, if asked for, in
// net.Dialer.DialContext. The package netringtry/hook sets it, see [LinkMain] and [LinkTests]: package
// net cannot import netring, which imports package net.
package listener

import (
	"embed"

	"github.com/netring-go/netring/cmd/netring-try/internal/overlay"
)

// files are the hook in package net, and the package that sets it.
//
//go:embed src
var files embed.FS

var (
	listen = overlay.Insertion{
		File: "net/dial.go",
		Func: "func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (Listener, error)",
		Text: "if l, err, ok := netringTryListen(lc, ctx, network, address); ok { return l, err }",
	}
	dial = overlay.Insertion{
		File: "net/dial.go",
		Func: "func (d *Dialer) DialContext(ctx context.Context, network, address string) (Conn, error)",
		Text: "if c, err, ok := netringTryDial(d, ctx, network, address); ok { return c, err }",
	}
)

// Mode returns the mode. Connections that the program dials use netring if dials is set.
func Mode(dials bool) overlay.Mode {
	insertions := []overlay.Insertion{listen}
	if dials {
		insertions = append(insertions, dial)
	}
	return overlay.Mode{Layers: []overlay.Layer{overlay.Insert(insertions...), overlay.Files(files)}}
}
