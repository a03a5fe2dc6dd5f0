package reactor

import "github.com/netring-go/netring/reactor/engine"

// op is an operation with its owner. It is embedded in what owns it, so that starting
// one allocates nothing. From enqueueing to completion it belongs to whoever runs the
// batch it is in.
type op struct {
	engine.Op
	owner opOwner

	// prepares has the owner's prepare called right before the submission.
	prepares bool
	// hasData says, of a Recv, that there is something to receive, as far as is known.
	hasData bool
	// wakesSysmon says, of a Recv, that its caller is idle but for what it receives, see
	// sysmonKeeper.
	wakesSysmon bool
	// epoch is the readiness epoch when the op was queued, see waiter.
	epoch uint32
}

// opOwner is told of each op of its own that the kernel has answered. Its methods run
// on the goroutine that submits the op, with no lock held, and must not block.
type opOwner interface {
	complete(*op) outcome
	prepare(*op)
}

// outcome is what an answer means to the op's owner.
type outcome uint8

const (
	opOver  outcome = iota // the call has its result, or the op's owner waits no more
	opAgain                // the op has to be run again
	opWaits                // the owner waits for the socket
)

func (o *op) init(owner opOwner, kind engine.OpKind, sysfd int) {
	o.Op.Init(kind, sysfd)
	o.owner = owner
}

// immediate reports whether a caller waits for o to be run, not for the socket. Such a
// caller gains from running o itself, see writePolicy.
func (o *op) immediate() bool { return o.Kind == engine.Send || o.Kind == engine.Sendmsg || o.hasData }
