//go:build !linux

package netring

import "net"

var _ net.Conn = (*Conn)(nil)

// Conn is a stream connection. Outside Linux, it wraps a *net.TCPConn or *net.UnixConn
// and behaves like it. All methods may be called concurrently.
//
// A Conn that becomes unreachable without having been closed is closed, like
// package net's.
type Conn struct{ portableConn }
