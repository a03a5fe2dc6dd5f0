//go:build netring_try_overlay

package net

import (
	"context"
	"runtime"
	"strings"
)

// netringTry holds the hooks of netring-try. Nil hooks leave package net as it is.
var netringTry struct {
	listen func(lc *ListenConfig, ctx context.Context, network, address string) (Listener, error, bool)
	dial   func(d *Dialer, ctx context.Context, network, address string) (Conn, error, bool)
}

// NetringTry sets the hooks. It must be called from an init function: it is not synchronised
// with their use.
func NetringTry(
	listen func(lc *ListenConfig, ctx context.Context, network, address string) (Listener, error, bool),
	dial func(d *Dialer, ctx context.Context, network, address string) (Conn, error, bool),
) {
	netringTry.listen, netringTry.dial = listen, dial
}

// netringTryListen is called first by ListenConfig.Listen. It reports whether the hook has
// served the call.
func netringTryListen(lc *ListenConfig, ctx context.Context, network, address string) (Listener, error, bool) {
	if hook := netringTry.listen; hook != nil && !netringTryOwn("net.(*ListenConfig).Listen") {
		return hook(lc, ctx, network, address)
	}
	return nil, nil, false
}

// netringTryDial is called first by Dialer.DialContext.
func netringTryDial(d *Dialer, ctx context.Context, network, address string) (Conn, error, bool) {
	if hook := netringTry.dial; hook != nil && !netringTryOwn("net.(*Dialer).DialContext") {
		return hook(d, ctx, network, address)
	}
	return nil, nil, false
}

// netringTryOwn reports whether the caller of the named method needs package net itself. This
// is netring, which makes its sockets with package net, whether netring-try has linked it or
// the program uses it already; and it is the resolver, whose connections package net reads.
func netringTryOwn(method string) bool {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function == method {
			f, _ = frames.Next()
			return strings.Contains(f.Function, "github.com/netring-go/netring.") ||
				strings.HasPrefix(f.Function, "net.(*Resolver).")
		}
		if !more {
			return false
		}
	}
}
