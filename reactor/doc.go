// Package reactor runs socket operations for many goroutines in batches.
//
// A [Reactor] owns an io_uring instance, an epoll descriptor and one goroutine.
// A goroutine that wants to read, write or accept describes the operation in an
// op and parks on a channel. The reactor learns from epoll which sockets are
// ready, collects their ops, submits them with one io_uring_enter(2) and wakes
// the goroutine behind each completion:
//
//	Read/Write ──── op ────▶ handoff ──▶ batch ──▶ engine.submit ──▶ complete ──▶ wake
//	     ▲                      ▲                  (one system call)               │
//	     │                      └── ready ops ── epoll, via Go's netpoller         │
//	     └────────────────────────────────────────────────────────────────────────┘
//
// What would gain nothing from a batch takes a shorter way: a connection's calls
// until one first has to wait ([Reactor.NewFD]), large writes
// ([Config.LargeWrite]), writes whose batch would be small or late (patience), and
// an op that is alone in its batch are system calls.
//
// Where to start reading: descriptor_linux.go (life cycle of a descriptor),
// stream_linux.go (Read and Write), listener_linux.go (Accept), handoff_linux.go
// (who runs a batch, and why no wake-up is lost), watch_linux.go (who waits for
// events), reactor_linux.go (the loop), readiness_linux.go (epoll), vigil_linux.go (what
// the Go runtime must not sleep through), engine_linux.go and the two engines behind it.
//
// # Invariants
//
// No operation outlives its submission: sockets are non-blocking and every SQE
// says MSG_DONTWAIT or works on an O_NONBLOCK descriptor, so the kernel answers
// inside io_uring_enter, with EAGAIN if need be, and holds no pointer into Go
// memory afterwards. There is nothing to cancel.
//
// A caller's buffer reaches the kernel through op.buf only. The op lives on the
// heap, so the buffer escapes and cannot move with its goroutine's stack.
//
// A descriptor is closed after its last op completed, never before, so that no
// op ever meets a reused descriptor number.
//
// Waking never blocks: each waiter has a channel with room for one token, and
// at most one token is ever owed to it.
//
// Lock order: the descriptor's mutex, then handoff.mu. The ring's mutex is
// taken with neither held, and completions are handled after it is released.
//
// The package is part of netring's implementation; its interface follows
// netring's needs.
package reactor
