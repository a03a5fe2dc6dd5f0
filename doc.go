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
// plain system calls, and outside Linux the package is package net.
//
// A [Conn] behaves like a *net.TCPConn: deadlines, half-closes, error types and
// texts, and concurrent use are the same. What differs is listed in the README.
//
// [Listen] needs no set-up and leaves nothing behind: its reactors start with the
// first listener and end with the last connection. A [Poller] of one's own, used
// through [ListenConfig], chooses the engine and the number of reactors, and has
// counters.
package netring
