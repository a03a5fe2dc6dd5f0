package netring

import "unsafe"

// ptr is for system calls that golang.org/x/sys/unix has no function for.
func ptr[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }
