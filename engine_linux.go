package netring

import (
	"slices"

	"github.com/netring-go/netring/reactor"
)

// engineKinds are package reactor's names for the engines.
var engineKinds = []reactor.EngineKind{
	EngineAuto:    reactor.Auto,
	EngineURing:   reactor.URing,
	EngineSyscall: reactor.Syscall,
	EngineNet:     reactor.Net,
}

// kind returns package reactor's name for e, which is known.
func (e Engine) kind() reactor.EngineKind { return engineKinds[e] }

// engineOf is the Engine that package reactor calls k.
func engineOf(k reactor.EngineKind) Engine { return Engine(slices.Index(engineKinds, k)) }

// member is a reactor of a Poller. It names its engine as netring does.
type member struct{ *reactor.Reactor }

// Engine returns the engine in use, and why EngineAuto did not pick EngineURing, or
// gave it up.
func (m member) Engine() (Engine, error) {
	kind, reason := m.Reactor.Engine()
	return engineOf(kind), reason
}
