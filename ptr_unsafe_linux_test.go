package netring

import "unsafe"

// ptr converts a pointer for system calls that golang.org/x/sys/unix lacks.
func ptr[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }
