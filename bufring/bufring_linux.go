package bufring

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// Limits of a Ring. The kernel's ring has at most 32768 entries
// (io_uring_register(2)). A buffer must hold every read for which package reactor uses
// the ring.
const (
	MaxBuffers    = 1 << 15
	MinBufferSize = 512
	MaxBufferSize = 1 << 20
)

var errClosed = errors.New("bufring: the ring is closed; make a new Ring")

// Stats counts what happened to a Ring's buffers since New.
type Stats struct {
	Buffers int    // buffers in the ring
	InUse   int    // buffers handed out and not recycled
	Taken   uint64 // times that a buffer was handed out
	Empty   uint64 // times that no buffer was left
}

// Ring is a fixed set of buffers of one size outside the Go heap. All methods may be
// called concurrently.
//
// A Ring has two modes. After Register, the kernel hands out buffers, and the caller
// must report each buffer with Claim. Without Register, and again after Reclaim, Take
// hands out buffers.
type Ring struct {
	size  int
	count int
	mem   []byte // count buffers of size bytes

	mu         sync.Mutex
	free       []uint16 // unregistered mode: ids not in use
	entries    []byte   // registered mode: the ring shared with the kernel
	tail       uint16   // registered mode: next entry to publish
	out        []bool   // which buffers are handed out
	gens       []uint32 // how often each buffer was handed out
	inUse      int      // how many buffers are handed out
	registered bool
	closed     bool

	taken atomic.Uint64
	empty atomic.Uint64
}

// New maps count buffers of size bytes each. count must be a power of two up to
// [MaxBuffers], and size from [MinBufferSize] to [MaxBufferSize]. The kernel commits a
// page of memory on its first use. The caller must Close the Ring.
func New(count, size int) (*Ring, error) {
	if count < 1 || count > MaxBuffers || count&(count-1) != 0 {
		return nil, fmt.Errorf("bufring: count is %d; use a power of two from 1 to %d", count, MaxBuffers)
	}
	if size < MinBufferSize || size > MaxBufferSize {
		return nil, fmt.Errorf("bufring: size is %d; use %d to %d bytes", size, MinBufferSize, MaxBufferSize)
	}
	mem, err := unix.Mmap(-1, 0, count*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("bufring: map %d buffers of %d bytes: %w", count, size, err)
	}
	r := &Ring{size: size, count: count, mem: mem, out: make([]bool, count), gens: make([]uint32, count)}
	r.fillFree()
	return r, nil
}

// fillFree makes every buffer that is not handed out available to Take.
func (r *Ring) fillFree() {
	r.free = make([]uint16, 0, r.count)
	for id := r.count - 1; id >= 0; id-- { // Take starts with low ids, so it touches fewer pages
		if !r.out[id] {
			r.free = append(r.free, uint16(id))
		}
	}
}

// BufferSize returns the size of each buffer in bytes.
func (r *Ring) BufferSize() int { return r.size }

// Bytes returns the first n bytes of buffer id. The caller owns the bytes from Take or
// Claim until Recycle.
func (r *Ring) Bytes(id uint16, n int) []byte {
	off := int(id) * r.size
	return r.mem[off : off+n : off+r.size]
}

// Take hands out a buffer. It reports false if no buffer is left, after Register and
// after Close.
func (r *Ring) Take() (id uint16, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.registered || r.closed || len(r.free) == 0 {
		r.empty.Add(1)
		return 0, false
	}
	id = r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	r.handOut(id)
	return id, true
}

// Claim records that the kernel handed out buffer id, see IORING_CQE_F_BUFFER. It
// panics if the buffer is already handed out.
func (r *Ring) Claim(id uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handOut(id)
}

func (r *Ring) handOut(id uint16) {
	if int(id) >= r.count || r.out[id] {
		panic(fmt.Sprintf("bufring: buffer %d of %d is handed out already or out of range; claim each buffer once per completion", id, r.count))
	}
	r.out[id] = true
	r.gens[id]++
	r.inUse++
	r.taken.Add(1)
}

// Exhausted records that the kernel had no buffer left (ENOBUFS).
func (r *Ring) Exhausted() { r.empty.Add(1) }

// Generation returns the number of times that buffer id was handed out.
func (r *Ring) Generation(id uint16) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gens[id]
}

// RecycleGeneration is Recycle for the buffer that was handed out as generation gen. It
// panics if that generation was recycled before, even if the buffer is handed out again.
func (r *Ring) RecycleGeneration(id uint16, gen uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gens[id] != gen {
		panic(fmt.Sprintf("bufring: generation %d of buffer %d was recycled before; recycle each buffer once", gen, id))
	}
	r.recycle(id)
}

// Recycle gives buffer id back. The caller must not use its bytes afterwards. Recycle
// panics if the buffer is not handed out.
func (r *Ring) Recycle(id uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recycle(id)
}

func (r *Ring) recycle(id uint16) {
	if int(id) >= r.count || !r.out[id] {
		panic(fmt.Sprintf("bufring: buffer %d of %d is not handed out or out of range; recycle each buffer once", id, r.count))
	}
	poison(r.Bytes(id, r.size))
	r.out[id] = false
	r.inUse--
	switch {
	case r.closed:
		if r.inUse == 0 {
			r.unmap()
		}
	case r.registered:
		r.publish(id)
	default:
		r.free = append(r.free, id)
	}
}

// Reclaim ends the sharing that Register began: Take hands out the buffers again.
// Buffers that are handed out come back with Recycle. No submission may use the ring
// after Reclaim: either the io_uring instance is closed, or its user submits no RECV
// with this buffer group.
func (r *Ring) Reclaim() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || !r.registered {
		return nil
	}
	r.registered = false
	err := unix.Munmap(r.entries)
	r.entries, r.tail = nil, 0
	r.fillFree()
	return err
}

// Stats returns the ring's counters.
func (r *Ring) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{Buffers: r.count, InUse: r.inUse, Taken: r.taken.Load(), Empty: r.empty.Load()}
}

// Close frees the ring. No submission may use the ring after Close. Buffers that are
// handed out stay valid; the last Recycle frees the memory.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	r.closed = true
	var err error
	if r.entries != nil {
		err = unix.Munmap(r.entries)
		r.entries = nil
	}
	if r.inUse == 0 {
		err = errjoin.Join(err, r.unmap())
	}
	return err
}

func (r *Ring) unmap() error {
	mem := r.mem
	r.mem = nil
	return unix.Munmap(mem)
}
