package reactor

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor/engine"
)

// Each answer is counted as what it is: bytes in or out, EAGAIN, or nothing of these.
func TestCountersOfBatch(t *testing.T) {
	answered := func(kind engine.OpKind, result int32) *op {
		o := new(op)
		o.Kind, o.Result = kind, result
		return o
	}
	var n counters
	n.batch([]*op{
		answered(engine.Recv, 10), answered(engine.Recv, 0), answered(engine.Recv, -int32(unix.EAGAIN)),
		answered(engine.Send, 200), answered(engine.Sendmsg, 3000), answered(engine.Send, -int32(unix.EAGAIN)),
		answered(engine.Accept, 7), answered(engine.Accept, -int32(unix.EAGAIN)), answered(engine.Send, -int32(unix.EPIPE)),
	})
	n.alone(answered(engine.Recv, 1))
	n.alone(answered(engine.Send, 2))
	n.alone(answered(engine.Sendmsg, -int32(unix.EAGAIN)))
	n.alone(answered(engine.Recv, -int32(unix.ECONNRESET)))
	for what, c := range map[string]struct{ got, want uint64 }{
		"bytes received": {n.received.Load(), 11},
		"bytes sent":     {n.sent.Load(), 3202},
		"EAGAIN":         {n.again.Load(), 4},
		"ops":            {n.ops.Load(), 9},
		"direct":         {n.direct.Load(), 4},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", what, c.got, c.want)
		}
	}
}

// A batch is counted in the class of its size.
func TestBatchSizeClasses(t *testing.T) {
	for size, class := range map[int]int{1: 0, 2: 1, 3: 2, 4: 2, 5: 3, 8: 3, 9: 4, 16: 4, 17: 5, 32: 5, 33: 6, 64: 6, 65: 6, 256: 6} {
		var n counters
		ops := make([]*op, size)
		for i := range ops {
			ops[i] = new(op)
		}
		n.batch(ops)
		for i := range n.batches {
			if got, want := n.batches[i].Load() == 1, i == class; got != want {
				t.Errorf("a batch of %d ops is in class %d: %v", size, i, got)
			}
		}
	}
}
