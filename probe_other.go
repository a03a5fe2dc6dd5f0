//go:build !linux

package netring

import (
	"fmt"
	"runtime"
)

// Probe reports that package net runs everything outside Linux. It fails if the
// environment asks for an unknown engine.
func Probe() (*Report, error) {
	engine, err := override(EngineAuto)
	if err != nil {
		return nil, err
	}
	r := &Report{Kernel: runtime.GOOS, Engine: EngineNet, Reason: notLinux}
	if engine == EngineNet {
		r.Reason = fmt.Sprintf("%s=%v", EngineEnv, engine)
	}
	return r, nil
}
