package netring

import (
	"github.com/netring-go/netring/reactor"
	"github.com/netring-go/netring/reactor/engine"
)

// Stats returns the Poller's counters. They remain readable after Close.
func (p *Poller) Stats() Stats {
	s := Stats{Reactors: len(p.current())}
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
		s.add(r.Stats())
	}
	return s
}

// add adds a reactor's counters to s.
func (s *Stats) add(rs reactor.Stats) {
	s.Descriptors += rs.Descriptors
	s.Waiting += rs.Waiting
	s.Batches += rs.Batches
	s.Ops += rs.Ops
	s.Single += rs.Single
	s.Inline += rs.Inline
	s.Direct += rs.Direct
	s.Polls += rs.Polls
	s.Events += rs.Events
	s.Parks += rs.Parks
	s.Leads += rs.Leads
	s.Loops += rs.Loops
	s.Stale += rs.Stale
	s.Demoted += rs.Demoted
	s.ReadBuffers.Buffers += rs.Buffers.Buffers
	s.ReadBuffers.InUse += rs.Buffers.InUse
	s.ReadBuffers.Taken += rs.Buffers.Taken
	s.ReadBuffers.Empty += rs.Buffers.Empty
}
