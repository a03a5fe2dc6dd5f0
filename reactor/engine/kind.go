package engine

import "fmt"

// Kind names the way batches reach the kernel.
type Kind uint8

const (
	// Auto picks URing where it works, else Syscall.
	Auto Kind = iota
	// URing submits a batch with one io_uring_enter(2). Linux 5.6 or later.
	URing
	// Syscall runs a batch as one plain system call per operation.
	Syscall
	// Net stands for package net: no reactor at all. New refuses it.
	Net
)

var kindNames = [...]string{Auto: "auto", URing: "uring", Syscall: "syscall", Net: "net"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Feature is a part of io_uring that the uring engine uses, and what the probe
// found.
type Feature struct {
	Name      string
	Since     string // the kernel version it came with
	Without   string // what is lost where it is missing
	Supported bool
	Reason    string // why not
}
