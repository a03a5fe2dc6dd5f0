package reactor

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// opKind is what an op asks of the kernel.
type opKind uint8

const (
	opRecv   opKind = iota // recv(2) into buf, or into a shared buffer
	opSend                 // send(2) of buf
	opSendv                // sendmsg(2) of msg
	opAccept               // accept4(2); the peer's address goes to sa
)

// noBuffer is op.bid where no provided buffer is involved.
const noBuffer = -1

// op is one operation. It is embedded in the descriptor it works on, so that
// starting one allocates nothing. Between being queued and completed it belongs
// to whoever runs the batch it is in.
type op struct {
	owner completer

	kind   opKind
	pooled bool // opRecv: receive into a shared buffer, not into buf
	late   bool // opSend: the owner, an FD, sets buf when the batch is submitted
	gate   bool // opRecv: see sysRecvGated
	now    bool // opRecv: there is something to receive, as far as is known
	sysfd  int32
	epoch  uint32 // the readiness epoch when the op was queued
	buf    []byte // heap-visible, see the package's invariants
	msg    *unix.Msghdr
	sa     *rawSockaddr

	// Set by the engine.
	done    bool // the engine has an answer
	drained bool // opRecv: the engine believes that the socket holds no more data
	bid     int32
	res     int32 // ≥ 0: the result; < 0: a negated errno
}

// completer is told of each op of its own that the kernel has answered. It runs
// on the goroutine that submitted the op, with no lock held, and must not block.
// It reports whether the op has to be run again.
type completer interface {
	complete(*op) (again bool)
}

func (o *op) init(owner completer, kind opKind, sysfd int) {
	o.owner, o.kind, o.sysfd, o.bid = owner, kind, int32(sysfd), noBuffer
}

// asked reports whether a caller that could do something else waits for o to be run,
// not for the socket: what it would gain by running o itself, see patience.
func (o *op) asked() bool { return o.kind == opSend || o.kind == opSendv || o.now }

// finish records the engine's answer.
func (o *op) finish(res int32) { o.res, o.done = res, true }

// errno returns the op's error, 0 for none.
func (o *op) errno() syscall.Errno {
	if o.res < 0 {
		return syscall.Errno(-o.res)
	}
	return 0
}
