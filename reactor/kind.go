package reactor

import "fmt"

// EngineKind names the way batches reach the kernel. As text it is "auto",
// "uring", "syscall" or "net".
type EngineKind uint8

const (
	// Auto picks URing where it works, else Syscall.
	Auto EngineKind = iota
	// URing submits a batch with one io_uring_enter(2). Linux 5.6 or later.
	URing
	// Syscall runs a batch as one plain system call per operation.
	Syscall
	// Net stands for package net: no reactor at all. New refuses it.
	Net
)

var kindNames = [...]string{Auto: "auto", URing: "uring", Syscall: "syscall", Net: "net"}

func (k EngineKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("EngineKind(%d)", uint8(k))
}

// MarshalText implements encoding.TextMarshaler.
func (k EngineKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler, for flag.TextVar and
// configuration files.
func (k *EngineKind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if string(text) == name {
			*k = EngineKind(i)
			return nil
		}
	}
	return fmt.Errorf("engine %q: want auto, uring, syscall or net", text)
}

// Feature is a part of io_uring that the uring engine uses, and what the probe
// found.
type Feature struct {
	Name      string `json:"name"`
	Since     string `json:"since"`   // the kernel version it came with
	Without   string `json:"without"` // what is lost where it is missing
	Supported bool   `json:"supported"`
	Reason    string `json:"reason,omitempty"` // why not
}
