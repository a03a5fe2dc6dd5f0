// Modes compares the ways io_uring can run a small HTTP server, which is the
// evidence behind the library's design:
//
//	cd bench && go run ./modes
//
// There are two shapes of server. "loop" is the classic experiment: one loop
// accepts any number of connections (up to 1024 at a time), takes whatever one
// receive brings for a request, without validating it, answers with the same
// few bytes and waits for at least one completion. "goroutines" has a goroutine
// for each connection: a reactor goroutine owns the ring, hands each request to
// the connection's goroutine over a channel, and that goroutine answers through
// the ring and waits, as a net.Conn's Write must, until the kernel has taken the
// answer.
//
// A mode is a combination of ring flags, SQE flags and operations (see
// ringModes). Each runs on a goroutine that is locked to its thread and on one
// that is not, unless the kernel insists on one thread. The base lines are an
// epoll loop, package net and this repository's netring.
//
// The server of each mode is a child process, and so is the load, one thread with
// an epoll loop. The machine's speed drifts, so every round gives each server one
// turn, in random order, and a ratio is the median of the rounds' ratios.
package main
