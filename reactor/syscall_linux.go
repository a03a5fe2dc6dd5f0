package reactor

import (
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
)

// syscallEngine runs each op as one non-blocking system call. What it keeps of
// the design is the batch: most of netring's gain comes from that, see
// docs/performance.md.
type syscallEngine struct {
	bufs *bufring.Ring // nil: no small reads through shared buffers
}

func newSyscallEngine(bufs *bufring.Ring) *syscallEngine { return &syscallEngine{bufs: bufs} }

func (e *syscallEngine) kind() EngineKind { return Syscall }

func (e *syscallEngine) close() error { return nil }

func (e *syscallEngine) submit(batch []*op) error {
	if len(batch) == 1 && !batch[0].done {
		e.runSingle(batch[0])
		return nil
	}
	for _, o := range batch {
		if !o.done {
			e.run(o)
		}
	}
	return nil
}

// runSingle runs an op that is alone.
func (e *syscallEngine) runSingle(o *op) {
	if o.kind != opRecv || !o.gate || o.pooled {
		e.run(o)
		return
	}
	n := sysRecvGated(o.sysfd, o.buf)
	o.drained = n > 0 && int(n) < len(o.buf)
	o.finish(n)
}

func (e *syscallEngine) run(o *op) {
	switch o.kind {
	case opRecv:
		if o.pooled {
			e.recvPooled(o)
			return
		}
		n := sysRecv(o.sysfd, o.buf)
		o.drained = n > 0 && int(n) < len(o.buf)
		o.finish(n)
	case opSend:
		o.finish(sysSend(o.sysfd, o.buf))
	case opSendv:
		o.finish(sysSendmsg(o.sysfd, o.msg))
	case opAccept:
		o.finish(sysAccept(o.sysfd, o.sa))
	default:
		panic("reactor: op kind without an implementation")
	}
}

// recvPooled receives into a shared buffer. If there is none, it answers as the
// ring does.
func (e *syscallEngine) recvPooled(o *op) {
	var id uint16
	ok := false
	if e.bufs != nil {
		id, ok = e.bufs.Take()
	}
	if !ok {
		o.finish(-int32(unix.ENOBUFS))
		return
	}
	chunk := e.bufs.Bytes(id, e.bufs.BufferSize())
	n := sysRecv(o.sysfd, chunk)
	if n <= 0 {
		e.bufs.Recycle(id)
	} else {
		o.bid = int32(id)
		o.drained = int(n) < len(chunk)
	}
	o.finish(n)
}
