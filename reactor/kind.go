package reactor

import "fmt"

// EngineKind names the way batches reach the kernel.
type EngineKind uint8

const (
	// Auto picks URing where it works, else Syscall.
	Auto EngineKind = iota
	// URing submits a batch with one io_uring_enter(2). Linux 5.19 or later.
	URing
	// Syscall runs a batch as one plain system call per operation.
	Syscall
)

func (k EngineKind) String() string {
	switch k {
	case Auto:
		return "auto"
	case URing:
		return "uring"
	case Syscall:
		return "syscall"
	}
	return fmt.Sprintf("EngineKind(%d)", uint8(k))
}
