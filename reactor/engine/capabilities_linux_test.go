package engine

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/sockettest"
)

// TestDemotion has a ring refuse what the probe said it can do.
func TestDemotion(t *testing.T) {
	requireRing(t)
	a, b := sockettest.Pair(t)
	defer unix.Close(a)
	for _, tc := range []struct {
		kind   OpKind
		pooled bool
	}{{Recv, true}, {Recv, false}, {Send, false}} {
		e, bufs := newTestRing(t, 8)
		if _, err := sockettest.Write(b, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		o := new(Op)
		o.Init(tc.kind, a)
		o.Pooled, o.Buf = tc.pooled, make([]byte, 5)
		e.answer(o, -int32(unix.EOPNOTSUPP), 0)
		if !o.Done || o.Result != 5 || e.stats.Demoted != 1 || e.provided && tc.kind == Recv || !tc.pooled && e.ops.has(tc.kind) {
			t.Errorf("%+v: result %d, capabilities %+v", tc, o.Result, e.capabilities)
		}
		got := make([]byte, 5)
		switch {
		case tc.kind == Send:
			if _, err := sockettest.Read(b, got); err != nil {
				t.Fatal(err)
			}
			copy(o.Buf, sysDrain(t, a))
		case tc.pooled:
			if o.Buffer == NoBuffer {
				t.Fatalf("%+v: no buffer", tc)
			}
			copy(o.Buf, bufs.Bytes(uint16(o.Buffer), 5))
			bufs.Recycle(uint16(o.Buffer))
		}
		if string(o.Buf) != "hello" {
			t.Errorf("%+v: %q was received", tc, o.Buf)
		}
		// From now on it does not get that far.
		next := new(Op)
		next.Init(tc.kind, a)
		next.Pooled, next.Buf = tc.pooled, []byte("again")
		if err := e.Submit([]*Op{next}); err != nil || !next.Done {
			t.Errorf("%+v: the next op: %v, done %v", tc, err, next.Done)
		}
		if tc.kind == Send {
			if _, err := sockettest.Read(b, got); err != nil || string(got) != "again" {
				t.Errorf("%q, %v", got, err)
			}
		}
		if n := bufs.Stats().InUse; n != 0 {
			t.Errorf("%+v: %d buffers in use", tc, n)
		}
	}
}

// sysDrain reads what is there.
func sysDrain(t *testing.T, fd int) []byte {
	t.Helper()
	p := make([]byte, 100)
	n, err := unix.Read(fd, p)
	if err != nil {
		t.Fatal(err)
	}
	return p[:n]
}

// A socket's own errors are not the ring's fault.
func TestGenuineErrorIsNoDemotion(t *testing.T) {
	e, _ := newTestRing(t, 8)
	l := sockettest.Listener(t)
	defer unix.Close(l)
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	accept := new(Op) // of a socket that does not listen
	accept.Init(Accept, s)
	accept.Addr = new(RawSockaddr)
	if err := e.Submit([]*Op{accept}); err != nil || accept.Errno() != unix.EINVAL {
		t.Errorf("%v, result %d, want EINVAL", err, accept.Result)
	}
	if e.stats.Demoted != 0 || !e.ops.has(Accept) {
		t.Errorf("demoted %d, capabilities %+v", e.stats.Demoted, e.capabilities)
	}
}

// TestBreakdown looks at what a broken ring leaves of a batch.
func TestBreakdown(t *testing.T) {
	requireRing(t)
	bufs, err := bufring.New(4, 4096)
	if err != nil {
		t.Fatal(err)
	}
	all, err := usable()
	if err != nil {
		t.Fatal(err)
	}
	all.provided = false
	e, err := newURing(Config{Size: 8, Buffers: bufs}, all)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(e.Close(), bufs.Close()); err != nil {
			t.Error(err)
		}
	}()
	a, _ := sockettest.Pair(t)
	defer unix.Close(a)
	batch := make([]*Op, 5)
	for i := range batch {
		batch[i] = new(Op)
		batch[i].Init(Recv, a)
		batch[i].Pooled = true
		id, ok := bufs.Take()
		if !ok {
			continue
		}
		batch[i].Buffer = int32(id)
	}
	batch[0].Finish(0) // answered, with its buffer in use
	batch[4].Finish(-int32(unix.ENOBUFS))
	// Of three submissions, the kernel took the first and did not answer.
	if err := e.breakdown(batch, 2, 3, unix.EBADR); !errors.Is(err, unix.EBADR) {
		t.Error(err)
	}
	done := []bool{true, true, false, false, true}
	for i, o := range batch {
		if o.Done != done[i] || i > 0 && o.Buffer != NoBuffer {
			t.Errorf("op %d: done %v, buffer %d", i, o.Done, o.Buffer)
		}
	}
	if batch[1].Errno() != unix.EIO {
		t.Errorf("an op of unknown fate ends with %v, want EIO", batch[1].Errno())
	}
	if n := bufs.Stats().InUse; n != 1 {
		t.Errorf("%d buffers in use, want 1", n)
	}
	bufs.Recycle(uint16(batch[0].Buffer))
}

// Every feature is reported once, with what it means.
func TestProbeReport(t *testing.T) {
	features, err := Probe()
	if unavailable := (*Unavailable)(nil); err != nil && !errors.As(err, &unavailable) {
		t.Errorf("%v is no *Unavailable", err)
	}
	var names []string
	for _, f := range features {
		names = append(names, f.Name)
		if f.Since == "" || f.Without == "" || f.Supported == (f.Reason != "") {
			t.Errorf("%+v", f)
		}
	}
	if len(names) < 7 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
		t.Errorf("features %q", names)
	}
	for _, errno := range []error{unix.EMFILE, unix.ENOMEM} {
		if conclusive(errno) {
			t.Errorf("%v was taken for final", errno)
		}
	}
	for errno, remedy := range map[error]string{
		unix.EPERM: "docs/containers.md", unix.ENOSYS: "older", unix.ENOMEM: "RLIMIT_MEMLOCK", unix.EMFILE: "RLIMIT_NOFILE", errors.ErrUnsupported: "5.6",
	} {
		if s := (&Unavailable{errno}).Error(); !bytes.Contains([]byte(s), []byte(remedy)) && Sysctl("io_uring_disabled") == "0" {
			t.Errorf("%v: %q does not speak of %q", errno, s, remedy)
		}
	}
}
