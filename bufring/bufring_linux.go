package bufring

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// Limits of a Ring. The kernel's buffer ids have 16 bits and its ring at most
// 32768 entries (io_uring_register(2)); a buffer of less than 512 bytes could
// not serve the reads it exists for, see reactor's small-read threshold.
const (
	MaxBuffers    = 1 << 15
	MinBufferSize = 512
	MaxBufferSize = 1 << 20
)

var errClosed = errors.New("bufring: the ring is closed")

// Stats counts what happened to a Ring's buffers since it was made.
type Stats struct {
	Buffers int    // buffers in the ring
	InUse   int    // buffers handed out and not recycled
	Taken   uint64 // buffers handed out, ever
	Empty   uint64 // times no buffer was left
}

// Ring is a fixed set of equally large buffers outside the Go heap. All
// methods may be called concurrently.
//
// A Ring is in one of two modes. After Register, the kernel hands buffers out
// and the caller reports each with Claim. Without Register, and again after
// Reclaim, Take does both.
type Ring struct {
	size  int
	count int
	mem   []byte // count buffers of size bytes

	mu         sync.Mutex
	free       []uint16 // unregistered mode: ids not in use
	entries    []byte   // registered mode: the ring shared with the kernel
	tail       uint16   // registered mode: next entry to publish
	out        []bool   // which buffers are handed out
	gens       []uint32 // how often each was
	inUse      int      // how many
	registered bool
	closed     bool

	taken atomic.Uint64
	empty atomic.Uint64
}

// New maps count buffers of size bytes each. count must be a power of two of
// at most [MaxBuffers], size lie between [MinBufferSize] and [MaxBufferSize].
// Memory is committed by the kernel page by page as buffers are first used.
func New(count, size int) (*Ring, error) {
	if count < 1 || count > MaxBuffers || count&(count-1) != 0 {
		return nil, fmt.Errorf("bufring: %d buffers: want a power of two from 1 to %d", count, MaxBuffers)
	}
	if size < MinBufferSize || size > MaxBufferSize {
		return nil, fmt.Errorf("bufring: buffers of %d bytes: want %d to %d", size, MinBufferSize, MaxBufferSize)
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
	for id := r.count - 1; id >= 0; id-- { // low ids are taken first: fewer pages touched
		if !r.out[id] {
			r.free = append(r.free, uint16(id))
		}
	}
}

// BufferSize returns the size of each buffer in bytes.
func (r *Ring) BufferSize() int { return r.size }

// Bytes returns the first n bytes of buffer id. They belong to the caller from
// Take or Claim until Recycle.
func (r *Ring) Bytes(id uint16, n int) []byte {
	off := int(id) * r.size
	return r.mem[off : off+n : off+r.size]
}

// Take hands out a buffer chosen in user space. It reports false when none is
// left or when the kernel does the choosing.
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

// Claim records that the kernel handed out buffer id, as a completion's
// IORING_CQE_F_BUFFER says.
func (r *Ring) Claim(id uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handOut(id)
}

func (r *Ring) handOut(id uint16) {
	if int(id) >= r.count || r.out[id] {
		panic(fmt.Sprintf("bufring: buffer %d of %d handed out twice or out of range", id, r.count))
	}
	r.out[id] = true
	r.gens[id]++
	r.inUse++
	r.taken.Add(1)
}

// Exhausted records that the kernel had no buffer left (ENOBUFS).
func (r *Ring) Exhausted() { r.empty.Add(1) }

// Generation returns a number that changes each time buffer id is handed out.
func (r *Ring) Generation(id uint16) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gens[id]
}

// RecycleGeneration is Recycle, but panics if the buffer has been recycled since
// it was handed out as generation gen, even if it is out again.
func (r *Ring) RecycleGeneration(id uint16, gen uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gens[id] != gen {
		panic(fmt.Sprintf("bufring: buffer %d recycled twice", id))
	}
	r.recycle(id)
}

// Recycle gives buffer id back. Its bytes must not be used afterwards.
func (r *Ring) Recycle(id uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recycle(id)
}

func (r *Ring) recycle(id uint16) {
	if int(id) >= r.count || !r.out[id] {
		panic(fmt.Sprintf("bufring: buffer %d of %d recycled twice or out of range", id, r.count))
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

// Reclaim ends the sharing that Register began: the buffers are Take's again,
// except for those handed out, which come back with Recycle. No submission may
// use the ring any more: either the io_uring instance is closed, or its caller
// has stopped asking for buffers.
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

// Close frees the ring, which no submission may use any more. Buffers still
// handed out stay valid; the memory goes with the last of them.
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
