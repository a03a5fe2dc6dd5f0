package reactor

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// skip drops the first n bytes, fewer than there are, of iov.
func skip(iov *unix.Iovec, n int) {
	iov.Base = (*byte)(unsafe.Add(unsafe.Pointer(iov.Base), n))
	iov.SetLen(int(iov.Len) - n)
}
