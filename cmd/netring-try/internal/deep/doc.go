// Package deep writes toolchain overlays that run package net's own connections on
// netring.
//
// An overlay is the argument of go build's -overlay flag. It changes a few functions of
// internal/poll, so that the descriptor of a connected stream socket (TCP or unix) waits on
// a netring reactor instead of Go's netpoller, and so that its Read, Write and Writev are
// the reactor's. It adds netring and the two packages that netring needs to the standard
// library, below internal/netring, so the program's own modules do not change. The
// program's types, errors and descriptors stay the same: *net.TCPConn is still *net.TCPConn.
//
// No code of Go's is kept here. The changes are insertions into syntax trees of the
// toolchain's own sources, and [Overlay] fails if those do not look as expected.
package deep
