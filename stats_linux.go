package netring

import (
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/netring-go/netring/reactor"
	"github.com/netring-go/netring/reactor/engine"
)

// pollerCounters is what a Poller counts itself; its reactors count the rest.
type pollerCounters struct {
	accepted, dialled, takenOver, backoffs atomic.Uint64
}

// Stats returns the Poller's counters. They remain readable after Close.
func (p *Poller) Stats() Stats {
	s := Stats{
		Reactors:       len(p.current()),
		Accepted:       p.n.accepted.Load(),
		Dialled:        p.n.dialled.Load(),
		TakenOver:      p.n.takenOver.Load(),
		AcceptBackoffs: p.n.backoffs.Load(),
	}
	if p.std {
		s.Engine = EngineNet
	}
	if p.reason != nil {
		s.EngineReason = p.reason.Error()
	}
	for i, r := range p.all() {
		kind, reason := r.Engine()
		if i == 0 || kind == engine.Syscall {
			s.Engine = engineOf(kind)
		}
		if reason != nil { // the ring broke down
			s.EngineReason = reason.Error()
		}
		rs := ReactorStats{Name: strconv.Itoa(i), Engine: engineOf(kind), Counters: countersOf(r.Stats())}
		if r == p.acceptor {
			rs.Name = "listeners"
		}
		s.Counters.add(rs.Counters)
		s.PerReactor = append(s.PerReactor, rs)
	}
	return s
}

// countersOf returns a reactor's counters.
func countersOf(s reactor.Stats) Counters {
	return Counters{
		Descriptors: s.Descriptors,
		Connections: int(s.Opened - s.Closed),
		Opened:      s.Opened,
		Closed:      s.Closed,
		Waiting:     s.Waiting,
		BytesIn:     s.BytesIn,
		BytesOut:    s.BytesOut,
		Batches:     s.Batches,
		BatchSizes:  s.BatchSizes,
		Ops:         s.Ops,
		Single:      s.Single,
		Inline:      s.Inline,
		Direct:      s.Direct,
		Pumped:      s.Pumped,
		Again:       s.Again,
		Polls:       s.Polls,
		Events:      s.Events,
		Parks:       s.Parks,
		Leads:       s.Leads,
		Loops:       s.Loops,
		Stale:       s.Stale,
		Demoted:     s.Demoted,
		ReadBuffers: BufferStats(s.Buffers),
	}
}

// add adds o to c, field by field.
func (c *Counters) add(o Counters) {
	c.Descriptors += o.Descriptors
	c.Connections += o.Connections
	c.Opened += o.Opened
	c.Closed += o.Closed
	c.Waiting += o.Waiting
	c.BytesIn += o.BytesIn
	c.BytesOut += o.BytesOut
	c.Batches += o.Batches
	for i := range c.BatchSizes {
		c.BatchSizes[i] += o.BatchSizes[i]
	}
	c.Ops += o.Ops
	c.Single += o.Single
	c.Inline += o.Inline
	c.Direct += o.Direct
	c.Pumped += o.Pumped
	c.Again += o.Again
	c.Polls += o.Polls
	c.Events += o.Events
	c.Parks += o.Parks
	c.Leads += o.Leads
	c.Loops += o.Loops
	c.Stale += o.Stale
	c.Demoted += o.Demoted
	c.ReadBuffers.add(o.ReadBuffers)
}

func (b *BufferStats) add(o BufferStats) {
	b.Buffers += o.Buffers
	b.InUse += o.InUse
	b.Taken += o.Taken
	b.Empty += o.Empty
}

// past returns s without what a closed Poller has none of.
func (s Stats) past() Stats {
	s.Engine, s.EngineReason, s.Reactors = EngineAuto, "", 0
	s.Counters = s.Counters.past()
	for i := range s.PerReactor {
		s.PerReactor[i].Counters = s.PerReactor[i].Counters.past()
	}
	return s
}

func (c Counters) past() Counters {
	c.Descriptors, c.Connections, c.Waiting, c.Demoted = 0, 0, 0, 0
	c.ReadBuffers.Buffers, c.ReadBuffers.InUse = 0, 0
	return c
}

// follow adds the counters of earlier Pollers, in the reactors' order of p.
func (s *Stats) follow(earlier Stats) {
	s.Accepted += earlier.Accepted
	s.Dialled += earlier.Dialled
	s.TakenOver += earlier.TakenOver
	s.AcceptBackoffs += earlier.AcceptBackoffs
	s.Counters.add(earlier.Counters)
	for _, e := range earlier.PerReactor {
		i := slices.IndexFunc(s.PerReactor, func(r ReactorStats) bool { return r.Name == e.Name })
		if i < 0 {
			s.PerReactor = append(s.PerReactor, e)
			continue
		}
		s.PerReactor[i].Counters.add(e.Counters)
	}
}

// Stats returns the Listener's counters. They remain readable after Close.
func (l *Listener) Stats() ListenerStats {
	if !l.ok() {
		return ListenerStats{}
	}
	return ListenerStats{Accepted: l.counted.Load(), AcceptBackoffs: l.backoffs.n.Load(), Ahead: l.fd.Ahead()}
}
