package engine

import "github.com/netring-go/netring/bufring"

// syscallEngine runs each op as one non-blocking system call. What it keeps of the
// design is the batch, which most of netring's gain comes from: see
// docs/performance.md.
type syscallEngine struct {
	bufs *bufring.Ring // nil: pooled ops answer ENOBUFS
}

func (e *syscallEngine) Kind() Kind { return Syscall }

func (e *syscallEngine) Stats() Stats { return Stats{} }

func (e *syscallEngine) Close() error { return nil }

func (e *syscallEngine) Submit(batch []*Op) error {
	for _, o := range batch {
		if !o.Done {
			e.run(o)
		}
	}
	return nil
}

func (e *syscallEngine) run(o *Op) { forms[o.Kind].call(e, o) }
