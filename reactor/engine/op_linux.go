package engine

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// OpKind is what an op asks of the kernel.
type OpKind uint8

const (
	Recv    OpKind = iota // recv(2) into Buf, or into a shared buffer if Pooled
	Send                  // send(2) of Buf
	Sendmsg               // sendmsg(2) of Msg
	Accept                // accept4(2); the peer's address goes to Addr
	opKinds               // how many there are
)

// NoBuffer is Op.Buffer while the op holds no shared buffer.
const NoBuffer = -1

// Op is one operation on a socket.
//
// Its owner fills in the request and hands the op over with Submit or Run. From then
// until the call returns, the op belongs to the engine, and nobody else may touch it.
// Afterwards it is the owner's again, with the answer. An op is used again and again;
// the owner clears Done before each submission.
//
// The kernel reads and writes what Buf, Msg and Addr point to. An op lives on the heap,
// so that this memory cannot move with a goroutine's stack.
type Op struct {
	// The request.
	Kind   OpKind
	Pooled bool // of Recv: receive into a shared buffer, not into Buf
	FD     int32
	Buf    []byte
	Msg    *unix.Msghdr
	Addr   *RawSockaddr

	// The answer.
	Done    bool  // there is one
	Drained bool  // of Recv: the socket holds no more data, as far as the engine can tell
	Buffer  int32 // of a pooled Recv: the shared buffer that Result bytes are in; it belongs to the owner now
	Result  int32 // the number of bytes, or the new descriptor; if negative, an errno
}

// Init prepares an op that has not been used yet.
func (o *Op) Init(kind OpKind, sysfd int) { o.Kind, o.FD, o.Buffer = kind, int32(sysfd), NoBuffer }

// Finish records the answer. Engines call it, and tests that stand in for one.
func (o *Op) Finish(result int32) { o.Result, o.Done = result, true }

// Errno returns the op's error, 0 for none.
func (o *Op) Errno() syscall.Errno {
	if o.Result < 0 {
		return syscall.Errno(-o.Result)
	}
	return 0
}
