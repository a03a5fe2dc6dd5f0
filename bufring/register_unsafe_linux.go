package bufring

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// What iouring-go's syscall package lacks, from linux/io_uring.h.
const (
	ioringRegisterPbufRing = 22 // IORING_REGISTER_PBUF_RING, Linux 5.19
)

// ioUringBuf is struct io_uring_buf. The ring's tail is the resv field of its first
// entry.
type ioUringBuf struct {
	addr uint64
	len  uint32
	bid  uint16
	resv uint16
}

// ioUringBufReg is struct io_uring_buf_reg.
type ioUringBufReg struct {
	ringAddr    uint64
	ringEntries uint32
	bgid        uint16
	flags       uint16
	resv        [3]uint64
}

// Register shares the ring with the io_uring instance ringFD, as the buffer group
// group, and hands every buffer to the kernel. The caller must call Register before
// Take, and at most once. The kernel uses the memory until ringFD is closed, so the
// caller must close ringFD before the Ring.
func (r *Ring) Register(ringFD int, group uint16) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return errClosed
	case r.registered:
		return errors.New("bufring: the ring is already registered; make a Ring for each io_uring instance")
	case r.inUse > 0:
		return fmt.Errorf("bufring: %d buffers are in use; call Register before Take", r.inUse)
	}
	entries, err := unix.Mmap(-1, 0, r.count*int(unsafe.Sizeof(ioUringBuf{})),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("bufring: map %d ring entries: %w", r.count, err)
	}
	reg := ioUringBufReg{
		ringAddr:    uint64(uintptr(unsafe.Pointer(&entries[0]))),
		ringEntries: uint32(r.count),
		bgid:        group,
	}
	if err := iouring.IOURingRegister(ringFD, ioringRegisterPbufRing, unsafe.Pointer(&reg), 1); err != nil {
		return errjoin.Join(err, unix.Munmap(entries))
	}
	r.entries, r.registered = entries, true
	for id := range r.count {
		r.publish(uint16(id))
	}
	return nil
}

// publish appends buffer id to the kernel's ring. r.mu is held.
func (r *Ring) publish(id uint16) {
	ring := unsafe.Pointer(&r.entries[0])
	slot := uintptr(r.tail) & uintptr(r.count-1)
	e := (*ioUringBuf)(unsafe.Add(ring, slot*unsafe.Sizeof(ioUringBuf{})))
	e.addr = uint64(uintptr(unsafe.Pointer(&r.mem[int(id)*r.size])))
	e.len = uint32(r.size)
	e.bid = id
	r.tail++
	storeTail(ring, r.tail)
}

// storeTail publishes the tail with release semantics. sync/atomic has no 16-bit store,
// so storeTail stores the 32-bit word that holds the first entry's bid and the tail.
// The kernel writes neither, and Ring.mu is held.
func storeTail(ring unsafe.Pointer, tail uint16) {
	first := (*ioUringBuf)(ring)
	var word uint32
	halves := (*[2]uint16)(unsafe.Pointer(&word))
	halves[0], halves[1] = first.bid, tail
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&first.bid)), word)
}
