// Package deep serves package net's own connections from reactors.
//
// It is for toolchain overlays, which build it into the standard library: a stream socket
// that package net makes is given to [Open], and internal/poll passes reads and writes to
// the result. cmd/netring-try/internal/deep writes such overlays. The package imports
// nothing that imports package net.
package deep
