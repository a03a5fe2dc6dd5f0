package reactor

import (
	"math/bits"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/reactor/engine"
)

// BatchSizes is the number of classes of batch sizes that Stats counts: 1, 2, 3 to 4,
// 5 to 8, and so on. The last class, from 33 ops on, has no bound: maxBatch may change.
const BatchSizes = 7

// Stats counts what a Reactor did.
type Stats struct {
	engine.Stats
	Engine      engine.Kind
	Descriptors int                // descriptors registered now
	Opened      uint64             // connections registered
	Closed      uint64             // connections closed
	Waiting     int                // calls that wait now
	BytesIn     uint64             // received, also by Splice
	BytesOut    uint64             // sent, also by Splice and SendFile
	Batches     uint64             // submissions
	BatchSizes  [BatchSizes]uint64 // submissions of 1, 2, 3 to 4, 5 to 8, … ops
	Ops         uint64             // ops in them
	Inline      uint64             // submissions made by the calling goroutine itself
	Direct      uint64             // ops run by the calling goroutine outside any batch
	Pumped      uint64             // what a pump received and its goroutine was not woken for
	Again       uint64             // ops, of both kinds, that the kernel answered with EAGAIN
	Polls       uint64             // looks at the epoll descriptor
	Events      uint64             // readiness events
	Parks       uint64             // times the reactor went to sleep
	Leads       uint64             // times a caller watched in its place
	Loops       uint64             // times its goroutine was started
	Buffers     bufring.Stats      // the shared receive buffers
}

// counters is what a Reactor counts. Batches are counted as one, so that counting costs
// a batch a few additions, whatever its size.
type counters struct {
	batches             [BatchSizes]atomic.Uint64
	ops, inline, direct atomic.Uint64
	received, sent      atomic.Uint64
	pumped, again       atomic.Uint64
	parks, leads, loops atomic.Uint64
	opened, closed      atomic.Uint64
}

// batch counts a batch of ops that has been run.
func (n *counters) batch(ops []*op) {
	n.batches[min(bits.Len(uint(len(ops)-1)), BatchSizes-1)].Add(1)
	n.ops.Add(uint64(len(ops)))
	n.results(ops)
}

// alone counts an op that was run outside any batch.
func (n *counters) alone(o *op) {
	n.direct.Add(1)
	n.results([]*op{o})
}

// results counts the bytes and the EAGAINs of ops.
func (n *counters) results(ops []*op) {
	var received, sent, again uint64
	for _, o := range ops {
		switch {
		case o.Result > 0 && o.Kind == engine.Recv:
			received += uint64(o.Result)
		case o.Result > 0 && o.Kind != engine.Accept:
			sent += uint64(o.Result)
		case o.Result == -int32(unix.EAGAIN):
			again++
		}
	}
	if received > 0 {
		n.received.Add(received)
	}
	if sent > 0 {
		n.sent.Add(sent)
	}
	if again > 0 {
		n.again.Add(again)
	}
}

// CountRead counts bytes that a transfer took from the connection.
func (fd *FD) CountRead(bytes int64) { fd.r.n.received.Add(uint64(bytes)) }

// CountWritten counts bytes that a transfer gave to the connection.
func (fd *FD) CountWritten(bytes int64) { fd.r.n.sent.Add(uint64(bytes)) }

// Stats returns the reactor's counters.
func (r *Reactor) Stats() Stats {
	n := &r.n
	s := Stats{
		Descriptors: r.poll.slots.count(),
		Closed:      n.closed.Load(), // before opened: no more are closed than were opened
		Opened:      n.opened.Load(),
		Waiting:     r.waiting(),
		BytesIn:     n.received.Load(),
		BytesOut:    n.sent.Load(),
		Ops:         n.ops.Load(),
		Inline:      n.inline.Load(),
		Direct:      n.direct.Load(),
		Pumped:      n.pumped.Load(),
		Again:       n.again.Load(),
		Polls:       r.poll.polls.Load(),
		Events:      r.poll.reported.Load(),
		Parks:       n.parks.Load(),
		Leads:       n.leads.Load(),
		Loops:       n.loops.Load(),
		Buffers:     r.submitter.bufs.Stats(),
	}
	for i := range n.batches {
		s.BatchSizes[i] = n.batches[i].Load()
		s.Batches += s.BatchSizes[i]
	}
	s.Engine, s.Stats = r.submitter.stats()
	return s
}
