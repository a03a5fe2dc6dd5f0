package reactor

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
)

// countingOwner counts completions; it stands in for a descriptor.
type countingOwner struct{ n int }

func (c *countingOwner) complete(*op) bool { c.n++; return false }

// newTestRing returns a ring of the given size with four buffers.
func newTestRing(t *testing.T, size int) (*uring, *bufring.Ring) {
	t.Helper()
	requireEngine(t, URing)
	bufs, err := bufring.New(4, 4096)
	if err != nil {
		t.Fatal(err)
	}
	tiers, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	e, err := newURing(size, bufs, tiers)
	if err != nil {
		t.Fatal(err)
	}
	e.ringOnly = true
	t.Cleanup(func() {
		if err := errors.Join(e.close(), bufs.Close()); err != nil {
			t.Error(err)
		}
		if e.stale != 0 {
			t.Errorf("%d stale completions", e.stale)
		}
	})
	return e, bufs
}

// TestBatchLargerThanQueue submits more ops than the submission queue holds.
func TestBatchLargerThanQueue(t *testing.T) {
	e, _ := newTestRing(t, 4)
	s, b := tcpSockets(t)
	defer unix.Close(s)
	const n = 19
	var owner countingOwner
	var batch []*op
	for i := range n {
		o := new(op)
		o.init(&owner, opSend, s)
		o.buf = []byte{byte(i)}
		batch = append(batch, o)
	}
	if err := e.submit(batch); err != nil {
		t.Fatal(err)
	}
	for i, o := range batch {
		if !o.done || o.res != 1 {
			t.Errorf("op %d: done %v, result %d", i, o.done, o.res)
		}
	}
	var got []byte
	for len(got) < n {
		p := make([]byte, 100)
		k, err := peerRead(b, p)
		if err != nil || k == 0 {
			t.Fatal(k, err)
		}
		got = append(got, p[:k]...)
	}
	for i, c := range got {
		if int(c) != i {
			t.Fatalf("the peer got %v: out of order", got)
		}
	}
}

// TestFullCompletionQueue overflows the completion queue: the completions the
// kernel had to set aside must be collected, too.
func TestFullCompletionQueue(t *testing.T) {
	e, _ := newTestRing(t, 64)
	// The completion queue has twice the submission queue's entries. Completions of
	// no interest fill all but a few of them; head is held back meanwhile.
	s, _ := tcpSockets(t)
	defer unix.Close(s)
	var owner countingOwner
	filler := func(n int) (batch []*op) {
		for range n {
			o := new(op)
			o.init(&owner, opSend, s)
			o.buf = []byte("x")
			batch = append(batch, o)
		}
		return batch
	}
	// Submit three full queues without collecting.
	for range 3 {
		e.gen++
		tail := *e.sqTail
		for _, o := range filler(64) {
			e.fill(&e.sqes[tail&e.sqMask], o)
			e.sqes[tail&e.sqMask].SetUserData(uint64(e.gen) << 32)
			tail++
		}
		*e.sqTail = tail
		if n, errno := e.enterCall(64, 0, 0); errno != 0 || n != 64 {
			t.Fatalf("io_uring_enter: %d, %v", n, errno)
		}
	}
	if *e.sqFlags&2 == 0 { // IORING_SQ_CQ_OVERFLOW
		t.Fatal("the completion queue did not overflow")
	}
	batch := filler(64)
	if err := e.submit(batch); err != nil {
		t.Fatal(err)
	}
	for i, o := range batch {
		if !o.done || o.res != 1 {
			t.Fatalf("op %d: done %v, result %d", i, o.done, o.res)
		}
	}
	if e.stale != 3*64 {
		t.Errorf("%d completions of earlier generations were dropped, want %d", e.stale, 3*64)
	}
	e.stale = 0
}

// TestNothingOutlivesSubmission checks the invariant behind the design: every
// kind of op is answered at once, even where there is nothing to do yet, and even
// if somebody has made the socket blocking.
func TestNothingOutlivesSubmission(t *testing.T) {
	e, bufs := newTestRing(t, 8)
	s, _ := tcpSockets(t)
	defer unix.Close(s)
	l := listenSocket(t)
	defer unix.Close(l)
	for _, nonblock := range []bool{true, false} {
		if err := errors.Join(unix.SetNonblock(s, nonblock), unix.SetNonblock(l, nonblock)); err != nil {
			t.Fatal(err)
		}
		var owner countingOwner
		var recv, pooled, send, accept op
		recv.init(&owner, opRecv, s)
		recv.buf = make([]byte, 10)
		pooled.init(&owner, opRecv, s)
		pooled.pooled, pooled.buf = true, make([]byte, 1)
		send.init(&owner, opSend, s)
		send.buf = make([]byte, 64<<20)
		accept.init(&owner, opAccept, l)
		accept.sa = new(rawSockaddr)
		done := make(chan error, 1)
		go func() { done <- e.submit([]*op{&recv, &pooled, &send, &accept}) }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("an op was left armed")
		}
		for name, o := range map[string]*op{"recv": &recv, "pooled recv": &pooled, "accept": &accept} {
			if o.errno() != unix.EAGAIN {
				t.Errorf("non-blocking %v: %s: result %d, want EAGAIN", nonblock, name, o.res)
			}
		}
		// It is more than fits; the second time, the peer's kernel may have made room.
		if send.errno() != unix.EAGAIN && (send.res <= 0 || int(send.res) == len(send.buf)) {
			t.Errorf("non-blocking %v: send: result %d", nonblock, send.res)
		}
	}
	if n := bufs.Stats().InUse; n != 0 {
		t.Errorf("%d buffers are in use after EAGAIN", n)
	}
}

// TestSingleOp runs ops that are alone: as system calls, unless a shared buffer is
// to be chosen by the kernel.
func TestSingleOp(t *testing.T) {
	e, bufs := newTestRing(t, 8)
	e.ringOnly = false
	s, b := tcpSockets(t)
	defer unix.Close(s)
	var owner countingOwner
	var send, recv, pooled op
	send.init(&owner, opSend, s)
	send.buf = []byte("xy")
	recv.init(&owner, opRecv, s)
	recv.buf = make([]byte, 10)
	pooled.init(&owner, opRecv, s)
	pooled.pooled, pooled.buf = true, make([]byte, 1)
	steps := []struct {
		batch  []*op
		single uint64
		gen    uint32
	}{
		{[]*op{&send}, 1, 0},
		{[]*op{&recv}, 2, 0}, // EAGAIN
		{[]*op{&send, &recv}, 2, 1},
		{[]*op{&pooled}, 2, 2},
	}
	for i, step := range steps {
		if err := e.submit(step.batch); err != nil {
			t.Fatal(err)
		}
		if e.single != step.single || e.gen != step.gen {
			t.Errorf("step %d: %d single ops and %d batches, want %d and %d", i, e.single, e.gen, step.single, step.gen)
		}
		for _, o := range step.batch {
			if !o.done || o == &send && o.res != 2 || o != &send && o.errno() != unix.EAGAIN {
				t.Errorf("step %d: done %v, result %d", i, o.done, o.res)
			}
			o.done = false
		}
	}
	got := make([]byte, 10)
	if n, err := peerRead(b, got); err != nil || string(got[:n]) != "xyxy" {
		t.Errorf("the peer got %q, %v", got[:n], err)
	}
	if n := bufs.Stats().InUse; n != 0 {
		t.Errorf("%d buffers are in use after EAGAIN", n)
	}
}

func TestEngineErrors(t *testing.T) {
	if _, _, err := newEngine(EngineKind(9), 8, nil); err == nil {
		t.Error("an unknown engine was accepted")
	}
	if _, err := New(Config{Buffers: 3, BufferSize: 4096}); err == nil {
		t.Error("three buffers were accepted")
	}
	if _, err := New(Config{Buffers: 4, BufferSize: 1}); err == nil {
		t.Error("buffers of one byte were accepted")
	}
	r := newReactor(t, Auto)
	if kind, reason := r.Engine(); (kind == URing) != (reason == nil) {
		t.Errorf("auto picked %v because of %v", kind, reason)
	}
}
