package netring

import (
	"encoding"
	"fmt"
	"os"
)

var (
	_ fmt.Stringer             = EngineAuto
	_ encoding.TextMarshaler   = EngineAuto
	_ encoding.TextUnmarshaler = (*Engine)(nil)
)

// Engine names the way operations reach the kernel. Its text form is "auto", "uring",
// "syscall" or "net". Engine works with flag.TextVar.
type Engine uint8

const (
	// EngineAuto is EngineURing where the kernel allows it, else EngineSyscall.
	// Outside Linux, package net runs the operations of netring's types.
	EngineAuto Engine = iota
	// EngineURing submits operations in batches, with io_uring_enter(2). It needs
	// Linux 5.6 and a sandbox that admits io_uring; [Probe] reports both. Outside
	// Linux, NewPoller fails with EngineURing.
	EngineURing
	// EngineSyscall runs the same batches as plain system calls, and never touches
	// io_uring. Outside Linux, EngineSyscall means EngineAuto.
	EngineSyscall
	// EngineNet is package net, on every system: listeners and connections have
	// package net's own types, and a Poller runs nothing.
	EngineNet
)

// EngineEnv is the environment variable that overrides [Config].Engine with "auto",
// "uring", "syscall" or "net". NewPoller reads it, also for the default Poller. With
// "syscall" and "net", netring does not even probe io_uring.
const EngineEnv = "NETRING_ENGINE"

var engineNames = [...]string{EngineAuto: "auto", EngineURing: "uring", EngineSyscall: "syscall", EngineNet: "net"}

// String returns the engine's text form.
func (e Engine) String() string {
	if e.known() {
		return engineNames[e]
	}
	return fmt.Sprintf("Engine(%d)", uint8(e))
}

func (e Engine) known() bool { return int(e) < len(engineNames) }

// MarshalText implements encoding.TextMarshaler.
func (e Engine) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler, for flag.TextVar and
// configuration files. Its error lists the valid texts.
func (e *Engine) UnmarshalText(text []byte) error {
	for i, name := range engineNames {
		if string(text) == name {
			*e = Engine(i)
			return nil
		}
	}
	return fmt.Errorf("netring: engine %q is unknown; use auto, uring, syscall or net", text)
}

// override returns the engine that the environment asks for, or e if the environment
// asks for none.
func override(e Engine) (Engine, error) {
	v := os.Getenv(EngineEnv)
	if v == "" {
		return e, nil
	}
	if e.UnmarshalText([]byte(v)) != nil {
		return e, fmt.Errorf("netring: %s is %q; use auto, uring, syscall or net", EngineEnv, v)
	}
	return e, nil
}
