package main

import (
	"unsafe"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"
)

// registerFiles registers a table of n empty places for descriptors.
func (r *ring) registerFiles(n int) error {
	files := make([]int32, n)
	for i := range files {
		files[i] = -1
	}
	return refused("IORING_REGISTER_FILES",
		iouring.IOURingRegister(r.fd, iouring.IORING_REGISTER_FILES, unsafe.Pointer(&files[0]), uint32(n)))
}

// registerBuffers registers bufs; an SQE's buf_index is an index into them.
func (r *ring) registerBuffers(bufs ...[]byte) error {
	vec := make([]unix.Iovec, len(bufs))
	for i, b := range bufs {
		vec[i].Base = &b[0]
		vec[i].SetLen(len(b))
	}
	return refused("IORING_REGISTER_BUFFERS",
		iouring.IOURingRegister(r.fd, iouring.IORING_REGISTER_BUFFERS, unsafe.Pointer(&vec[0]), uint32(len(vec))))
}

// rsrcUpdate is struct io_uring_rsrc_update.
type rsrcUpdate struct {
	offset, resv uint32
	data         uint64
}

// registerRingFD registers the ring's own descriptor with the calling thread, so
// that entering does not look it up.
func (r *ring) registerRingFD() error {
	u := rsrcUpdate{offset: ^uint32(0), data: uint64(r.fd)} // any place
	// The call returns the number of places registered, which iouring-go drops.
	if err := iouring.IOURingRegister(r.fd, ioringRegisterRingFDs, unsafe.Pointer(&u), 1); err != nil {
		return refused("IORING_REGISTER_RING_FDS", err)
	}
	r.enterFD, r.enterFlags = int(u.offset), ioringEnterRegisteredRing
	return nil
}
