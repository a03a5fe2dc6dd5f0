// Package engine runs batches of socket operations: through io_uring, or with plain
// system calls.
//
// An [Op] is one operation. A caller fills it in and passes it to an [Engine] in a
// batch. [Engine.Submit] returns when the kernel has answered every op of the batch.
// No operation outlives its submission: sockets are non-blocking, and every op says
// MSG_DONTWAIT or works on an O_NONBLOCK descriptor. The kernel answers EAGAIN instead
// of waiting, and holds no pointer into Go memory afterwards. There is nothing to
// cancel.
//
// # Where to read
//
//   - op_linux.go: what an op holds, and who may touch it when;
//   - recv_, send_ and accept_unsafe_linux.go: one file for each family of ops, with the
//     ring's form, the system call and the trial that finds out what the kernel can do;
//   - forms_linux.go: the table of those forms;
//   - uring_unsafe_linux.go and syscall_linux.go: the two engines;
//   - probe_linux.go: what the kernel can do; unavailable_linux.go: why it cannot;
//   - rawcalls_unsafe_linux.go: system calls that skip the scheduler.
//
// To add a kind of op, add its constant to op_linux.go, its line to forms_linux.go and
// its form in a file of its own.
//
// The package is part of netring's implementation; its interface follows netring's
// needs.
package engine
