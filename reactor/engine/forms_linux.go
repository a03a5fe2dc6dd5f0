package engine

import iouring "github.com/iceber/iouring-go/syscall"

// form is how the two engines run the ops of one kind.
type form struct {
	// opcode is the ring's, and fill describes o in an SQE that has been reset. fill
	// reports false for an op that it has answered itself.
	opcode uint8
	fill   func(e *uring, sqe *iouring.SubmissionQueueEntry64, o *Op) (filled bool)

	// call runs o as a system call.
	call func(e *syscallEngine, o *Op)

	// trial finds out whether a ring runs such ops without leaving them armed, and
	// feature is where the probe reports that.
	trial   func(t *trial) error
	feature feature
}

// forms has an entry for each kind.
var forms [opKinds]form

func init() { // not a literal: the trials use the table
	forms = [opKinds]form{
		Recv:    recvForm,
		Send:    sendForm,
		Sendmsg: sendmsgForm,
		Accept:  acceptForm,
	}
}
