package reactor

import (
	"fmt"

	"github.com/netring-go/netring/bufring"
)

// engine runs batches. It is used by one goroutine at a time (Reactor.ringMu).
type engine interface {
	kind() EngineKind

	// submit has the kernel run every op of batch, without blocking, and calls
	// finish on each, in any order. If it returns an error, the engine is broken;
	// the ops that are not done have not been run.
	submit(batch []*op) error

	// close frees what the engine holds. The buffers are its caller's.
	close() error
}

// newEngine returns an engine of the given kind for batches of up to size ops,
// with bufs registered where the kernel can choose from it. For Auto, reason
// says why the ring is unavailable.
func newEngine(kind EngineKind, size int, bufs *bufring.Ring) (e engine, reason, err error) {
	switch kind {
	case Syscall:
		return newSyscallEngine(bufs), nil, nil
	case URing, Auto:
		t, err := probe()
		if err == nil {
			var ring *uring
			if err = withLateMemory(func() (err error) {
				ring, err = newURing(size, bufs, t)
				return err
			}); err == nil {
				return ring, nil, nil
			}
		}
		err = &Unavailable{err}
		if kind == Auto {
			return newSyscallEngine(bufs), err, nil
		}
		return nil, nil, err
	}
	return nil, nil, fmt.Errorf("reactor: unknown engine %v: want Auto, URing or Syscall", kind)
}
