package reactor

import (
	"sync/atomic"
	"time"
)

// writePolicy decides whether calls that could run their op at once join a batch
// instead: writes, and reads of a socket that holds data.
//
// They join while that pays. The loop yields to every runnable goroutine before it runs
// a batch. Where those compute for long, an answer that is ready would wait until the
// last of them is done. So calls bypass the batches when they come too slowly: when the
// time between two batches, for each call in the batch, is more than turnPerCall for each
// call.
type writePolicy struct {
	never     bool          // for tests
	impatient atomic.Bool   // calls bypass the batches
	bypassed  atomic.Uint64 // calls that did
}

// direct reports whether calls bypass the batches.
func (p *writePolicy) direct() bool { return p.impatient.Load() }

// bypass counts a call that bypassed the batches.
func (p *writePolicy) bypass() { p.bypassed.Add(1) }

// loopTurn is the time between two batches of the loop.
type loopTurn struct {
	began    time.Duration
	bypassed uint64
}

// begin is called when the loop yields to the other goroutines.
func (p *writePolicy) begin() loopTurn { return loopTurn{monotonic(), p.bypassed.Load()} }

// end is called when the loop is back. asked is how many calls were in the last batch.
func (p *writePolicy) end(t loopTurn, asked int) {
	p.turned(asked+int(p.bypassed.Load()-t.bypassed), monotonic()-t.began)
}

// turned says that d has passed between two batches, and that so many calls were made
// in the one and past it. If the next batch is too far away to wait for, calls bypass
// the batches from now on.
func (p *writePolicy) turned(calls int, d time.Duration) {
	if calls == 0 || p.never {
		return
	}
	impatient := d > time.Duration(calls*calls)*turnPerCall
	if impatient != p.impatient.Load() {
		p.impatient.Store(impatient)
	}
}
