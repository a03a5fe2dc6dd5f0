package netring

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/netring-go/netring/reactor"
)

// placement decides which reactor serves a new connection: round robin among as many
// reactors as there are Ps. A program or Go's runtime may change GOMAXPROCS at any time,
// and nobody is told. So it is looked at when a connection is accepted or dialled. An
// idle Poller does nothing. Connections stay where they are: a reactor that is not used
// for new connections serves those that it has, and is used again when GOMAXPROCS grows.
type placement struct {
	next   atomic.Uint32
	used   atomic.Int32 // how many reactors get new connections; 0: all
	looked atomic.Int64 // when GOMAXPROCS was looked at, in nanoseconds since 1970
}

// followEvery is how often, at most, accepting connections looks at GOMAXPROCS: that takes
// a lock of the scheduler.
const followEvery = 250 * time.Millisecond

// place returns the reactor that will serve a new connection.
func (p *Poller) place() *reactor.Reactor {
	p.followSometimes()
	rs := p.current()
	n := len(rs)
	if used := int(p.places.used.Load()); used > 0 {
		n = min(used, n)
	}
	return rs[(p.places.next.Add(1)-1)%uint32(n)]
}

// followSometimes is follow, unless somebody has just looked.
func (p *Poller) followSometimes() {
	if !p.follows {
		return
	}
	now, last := time.Now().UnixNano(), p.places.looked.Load()
	if d := time.Duration(now - last); d >= 0 && d < followEvery || !p.places.looked.CompareAndSwap(last, now) {
		return
	}
	p.follow()
}

// follow uses as many reactors as GOMAXPROCS says, unless Config.Reactors fixes their
// number. Where a ring is unavailable, follow adds no reactor: the existing reactors are
// enough.
func (p *Poller) follow() {
	if !p.follows || p.std {
		return
	}
	want := defaultReactors()
	if have := len(p.current()); have >= want {
		p.places.used.Store(int32(want))
		return
	}
	if !p.growing.TryLock() { // somebody else sees to it, or closes the Poller
		return
	}
	defer p.growing.Unlock()
	rs := slices.Clone(p.current())
	for !p.closed.Load() && len(rs) < want {
		r, err := reactor.New(p.reactorConfig(p.cfg.ReadBuffers, p.cfg.ReadBufferSize))
		if err != nil {
			break
		}
		rs = append(rs, r)
	}
	p.reactors.Store(&rs)
	p.places.used.Store(int32(len(rs)))
}
