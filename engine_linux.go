package netring

import (
	"slices"

	"github.com/netring-go/netring/reactor/engine"
)

// engineKinds are package reactor's names for the engines.
var engineKinds = []engine.Kind{
	EngineAuto:    engine.Auto,
	EngineURing:   engine.URing,
	EngineSyscall: engine.Syscall,
	EngineNet:     engine.Net,
}

// kind returns package reactor's name for e, which is known.
func (e Engine) kind() engine.Kind { return engineKinds[e] }

// engineOf returns the Engine that package reactor calls k.
func engineOf(k engine.Kind) Engine { return Engine(slices.Index(engineKinds, k)) }
