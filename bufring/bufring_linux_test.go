package bufring

import (
	"errors"
	"strings"
	"sync"
	"testing"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		count, size int
		want        string
	}{
		{0, 4096, "power of two"},
		{3, 4096, "power of two"},
		{-4, 4096, "power of two"},
		{2 * MaxBuffers, 4096, "power of two"},
		{4, MinBufferSize - 1, "use 512 to"},
		{4, MaxBufferSize + 1, "use 512 to"},
	} {
		if _, err := New(tc.count, tc.size); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("New(%d, %d): %v, want it to say %q", tc.count, tc.size, err, tc.want)
		}
	}
}

func TestTakeRecycle(t *testing.T) {
	r, err := New(4, 512)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint16]bool{}
	for i := range 4 {
		id, ok := r.Take()
		if !ok || seen[id] {
			t.Fatalf("Take %d: %d, %v", i, id, ok)
		}
		seen[id] = true
		b := r.Bytes(id, 512)
		if len(b) != 512 || cap(b) != 512 {
			t.Errorf("buffer %d: length %d, capacity %d", id, len(b), cap(b))
		}
		for j := range b {
			b[j] = byte(id)
		}
	}
	for id := range seen { // the buffers do not overlap
		for _, c := range r.Bytes(id, 512) {
			if c != byte(id) {
				t.Fatalf("buffer %d was overwritten", id)
			}
		}
	}
	if _, ok := r.Take(); ok {
		t.Error("a fifth buffer of four")
	}
	r.Recycle(2)
	if id, ok := r.Take(); !ok || id != 2 {
		t.Errorf("after recycling 2: %d, %v", id, ok)
	}
	if s := r.Stats(); s != (Stats{Buffers: 4, InUse: 4, Taken: 5, Empty: 1}) {
		t.Errorf("stats %+v", s)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r.mem == nil {
		t.Fatal("Close freed the memory while buffers were in use")
	}
	for id := range seen { // the buffers are still valid; recycling the last frees the memory
		r.Bytes(id, 1)[0] = 1
		r.Recycle(id)
	}
	if r.mem != nil {
		t.Error("the memory is still mapped")
	}
	if _, ok := r.Take(); ok {
		t.Error("Take after Close")
	}
	if err := r.Close(); err == nil {
		t.Error("the second Close succeeded")
	}
	if err := r.Register(-1, 0); err == nil {
		t.Error("Register after Close succeeded")
	}
}

func TestMisusePanics(t *testing.T) {
	r, err := New(2, 512)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	id, _ := r.Take()
	r.Recycle(id)
	for name, f := range map[string]func(){
		"recycling twice":        func() { r.Recycle(id) },
		"recycling out of range": func() { r.Recycle(2) },
		"claiming out of range":  func() { r.Claim(7) },
		"claiming twice":         func() { r.Claim(1); r.Claim(1) },
		"recycling before Take":  func() { r.Recycle(0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
	r.Recycle(1)
}

func TestConcurrent(t *testing.T) {
	r, err := New(8, 512)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 2000 {
				id, ok := r.Take()
				if !ok {
					continue
				}
				b := r.Bytes(id, 512)
				b[0], b[511] = byte(i), byte(i)
				if b[0] != b[511] {
					t.Error("two owners of one buffer")
				}
				r.Recycle(id)
			}
		})
	}
	wg.Wait()
	if n := r.Stats().InUse; n != 0 {
		t.Errorf("%d buffers in use", n)
	}
}

// After Reclaim, Take hands out all buffers except the buffers in use.
func TestReclaim(t *testing.T) {
	r, err := New(4, 512)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Reclaim(); err != nil { // without Register, Reclaim changes nothing
		t.Fatal(err)
	}
	fd := ringFD(t)
	if err := r.Register(fd, 7); err != nil {
		t.Fatal(err)
	}
	r.Claim(2) // as a completion would say
	if _, ok := r.Take(); ok {
		t.Error("Take chose a buffer that the kernel has")
	}
	if err := r.Reclaim(); err != nil {
		t.Fatal(err)
	}
	seen := map[uint16]bool{2: true}
	for range 3 {
		id, ok := r.Take()
		if !ok || seen[id] {
			t.Fatalf("Take: %d, %v, after %v", id, ok, seen)
		}
		seen[id] = true
	}
	if _, ok := r.Take(); ok {
		t.Error("Take handed out a buffer that was in use")
	}
	r.Recycle(2)
	if id, ok := r.Take(); !ok || id != 2 {
		t.Errorf("after Recycle: %d, %v", id, ok)
	}
	for id := range seen {
		r.Recycle(id)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// ringFD returns an io_uring instance. It skips the test where io_uring is refused.
func ringFD(t *testing.T) int {
	t.Helper()
	fd, err := iouring.IOURingSetup(1, &iouring.IOURingParams{})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("io_uring is refused here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Close(fd); err != nil {
			t.Error(err)
		}
	})
	return fd
}
