// Package netring is net.Listener and net.Conn on io_uring: a drop-in for
// servers that run one goroutine per connection.
//
//	ln, err := netring.Listen("tcp", ":8080") // was: net.Listen
//	if err != nil {
//		return err
//	}
//	return http.Serve(ln, handler)
//
// Behind each listener and connection is a reactor: a goroutine that collects
// the reads, writes and accepts of many connections and submits them to the
// kernel in batches. Where io_uring is unavailable, the same batches run as
// plain system calls.
//
// A [Conn] behaves like a *net.TCPConn: deadlines, half-closes, error types and
// texts, and concurrent use are the same. docs/differences.md lists the differences.
//
// [Listen] needs no set-up and leaves nothing behind: its reactors start with the
// first listener and end with the last connection. With a [Poller] of its own, used
// through [ListenConfig] or [Dialer], a program chooses the engine and the number of
// reactors, and reads their counters.
//
// # Outside Linux
//
// The whole package compiles and works on other systems. A [Conn] or [Listener] wraps
// one of package net's there, and a [Poller] runs nothing. Conn.Write never buffers,
// Conn.ReadLease holds a buffer while it waits, and of [Stats] only Engine,
// EngineReason and Descriptors are set.
//
// With [EngineNet], or NETRING_ENGINE=net in the environment, listeners and connections
// are package net's own types, on every system.
package netring
