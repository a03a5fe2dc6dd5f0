// Package reactor runs socket operations for many goroutines in batches.
//
// A [Reactor] owns an engine, that is an io_uring instance or its replacement, an epoll
// descriptor and, while there is enough to do, one goroutine. A goroutine that wants to
// read, write or accept describes the operation in an op and sleeps. The reactor learns
// from epoll which sockets are ready, collects their ops, submits them with one
// io_uring_enter(2) and wakes the goroutine behind each completion:
//
//	Read/Write ──── op ────▶ handoff ──▶ batch ──▶ engine.Submit ──▶ complete ──▶ wake
//	     ▲                      ▲                  (one system call)               │
//	     │                      └── ready ops ── epoll, via Go's netpoller         │
//	     └────────────────────────────────────────────────────────────────────────┘
//
// Some calls gain nothing from a batch and bypass it with a system call of their own: the
// calls of a connection until one first has to wait ([Reactor.NewFD]), calls whose batch
// would be small or late (writePolicy), and an op that is alone in its batch.
//
// # Where to read
//
//   - fd_linux.go, descriptor_linux.go: the life of a connection and of a descriptor
//   - read_linux.go, write_linux.go: Read and Write; call_linux.go: the steps of a call
//   - waiter_linux.go: the states of a call, readiness and deadlines
//   - listener_linux.go: Accept
//   - handoff_linux.go: who runs a batch, and why no wake-up is lost
//   - leader_linux.go, loop_linux.go: the two that wait for events
//   - batch_linux.go: running a batch
//   - pollset_linux.go, slots_linux.go: epoll
//   - alarm_linux.go: deadlines without timers; clock_linux.go: the clock
//   - coalescer_linux.go: buffered writes
//   - pump_linux.go: copying between connections
//   - writepolicy_linux.go: what bypasses the batches; tuning.go: every constant that was
//     measured
//   - sysmon_linux.go: what the Go runtime must not sleep through
//   - token_linux.go: what a goroutine sleeps on
//
// # Invariants
//
// No operation outlives its submission, see package engine.
//
// A caller's buffer reaches the kernel through op.Buf only. The op lives on the heap, so
// the buffer escapes and cannot move with its goroutine's stack.
//
// A descriptor is closed after its last op completed, never before. So no op ever meets a
// reused descriptor number.
//
// Waking never blocks: each waiter has room for one token, and at most one token is ever
// owed to it.
//
// Lock order: a side's call lock, the descriptor's mutex, then handoff.mu or alarms.mu.
// The submitter's mutex is taken with none of the latter three held, and completions are
// handled after it is released. No function unlocks what its caller locked.
//
// The package is part of netring's implementation; its interface follows netring's
// needs.
package reactor
