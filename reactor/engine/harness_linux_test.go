package engine

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// requireRing skips the test where the kernel or the sandbox refuses io_uring, and only
// there.
func requireRing(t testing.TB) {
	t.Helper()
	_, err := Probe()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("io_uring is refused here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// newTestRing returns a ring of the given size with four buffers.
func newTestRing(t *testing.T, size int) (*uring, *bufring.Ring) {
	t.Helper()
	requireRing(t)
	bufs, err := bufring.New(4, 4096)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newRing(Config{Kind: URing, Size: size, Buffers: bufs, AlwaysRing: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(e.Close(), bufs.Close()); err != nil {
			t.Error(err)
		}
		if e.stats.Stale != 0 {
			t.Errorf("%d stale completions", e.stats.Stale)
		}
	})
	return e, bufs
}

func newOp(kind OpKind, sysfd int) *Op {
	o := new(Op)
	o.Init(kind, sysfd)
	return o
}
