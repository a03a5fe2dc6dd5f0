// Package netring is net.Listener and net.Conn on io_uring: a drop-in for
// servers that run one goroutine per connection.
//
//	ln, err := netring.Listen("tcp", ":8080") // was: net.Listen
//	if err != nil {
//		return err
//	}
//	return http.Serve(ln, handler)
//
// A reactor serves many listeners or connections. It collects their reads, writes
// and accepts and submits them to the kernel in batches. Where io_uring is
// unavailable, the same batches run as plain system calls.
//
// A [Conn] behaves like a *net.TCPConn: deadlines, half-closes, error types and
// texts, and concurrent use are the same. docs/differences.md lists the differences.
//
// [Listen] needs no set-up and leaves nothing behind: its reactors start with the
// first listener and end a moment after the last connection. A program that makes its own
// [Poller] chooses the engine and the number of reactors, and can read counters. It
// passes the Poller to a [ListenConfig] or [Dialer]. [Wrap], [WrapConn], [FileListener]
// and [FileConn] take over sockets that exist.
//
// # Outside Linux
//
// The whole package compiles and works on other systems. There, a [Conn] or [Listener]
// wraps package net's type, and a [Poller] runs nothing. Conn.Write never buffers.
// Conn.ReadLease holds a buffer while it waits. [Stats] has only Engine, EngineReason
// and Descriptors.
//
// With [EngineNet], or NETRING_ENGINE=net in the environment, listeners and connections
// are package net's own types, on every system.
package netring
