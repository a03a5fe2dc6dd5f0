package netring

import (
	"fmt"
	"os"

	"github.com/netring-go/netring/reactor"
)

// Engine names the way operations reach the kernel. As text it is "auto",
// "uring", "syscall" or "net"; it works with flag.TextVar.
type Engine = reactor.EngineKind

const (
	// EngineAuto is EngineURing where the kernel allows it, else EngineSyscall.
	EngineAuto = reactor.Auto
	// EngineURing submits operations in batches, with io_uring_enter(2). It needs
	// Linux 5.6 and a sandbox that admits io_uring; [Probe] tells.
	EngineURing = reactor.URing
	// EngineSyscall runs the same batches as plain system calls. It never touches
	// io_uring.
	EngineSyscall = reactor.Syscall
	// EngineNet is package net: listeners and connections are its own types, and a
	// Poller runs nothing.
	EngineNet = reactor.Net
)

// EngineEnv is the environment variable that overrides [Config].Engine: "auto",
// "uring", "syscall" or "net". It is read when a Poller is made, the default one
// included. With "syscall" and "net", io_uring is not even probed.
const EngineEnv = "NETRING_ENGINE"

// override returns the engine that the environment asks for, or e.
func override(e Engine) (Engine, error) {
	v := os.Getenv(EngineEnv)
	if v == "" {
		return e, nil
	}
	if err := e.UnmarshalText([]byte(v)); err != nil {
		return e, fmt.Errorf("netring: %s: %w", EngineEnv, err)
	}
	return e, nil
}

// Feature is a part of io_uring that netring uses, with the kernel version it
// came with and what is lost without it.
type Feature = reactor.Feature

// Report is what [Probe] finds. It marshals to JSON.
type Report struct {
	Kernel   string    `json:"kernel"`             // release, as uname(2) says
	Engine   Engine    `json:"engine"`             // what EngineAuto is here
	Reason   string    `json:"reason"`             // why
	Features []Feature `json:"features,omitempty"` // nil if io_uring was not to be probed
	Limits   Limits    `json:"limits"`
}

// Limits are settings of the system that bear on netring. What the system does
// not tell is empty.
type Limits struct {
	OpenFiles       string `json:"open_files"`        // RLIMIT_NOFILE: soft/hard
	LockedMemory    string `json:"locked_memory"`     // RLIMIT_MEMLOCK in bytes: soft/hard; counts for rings before Linux 5.12 and since 6.14
	Seccomp         string `json:"seccomp"`           // "off", "strict" or "filter"
	IOUringDisabled string `json:"io_uring_disabled"` // sysctl kernel.io_uring_disabled: 0 no, 1 for most, 2 for all
	IOUringGroup    string `json:"io_uring_group"`    // sysctl kernel.io_uring_group: the group spared by 1
}
