package engine

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
)

// TestBatchLargerThanQueue submits more ops than the submission queue holds.
func TestBatchLargerThanQueue(t *testing.T) {
	e, _ := newTestRing(t, 4)
	s, b := sockettest.Pair(t)
	defer unix.Close(s)
	const n = 19
	var batch []*Op
	for i := range n {
		o := new(Op)
		o.Init(Send, s)
		o.Buf = []byte{byte(i)}
		batch = append(batch, o)
	}
	if err := e.Submit(batch); err != nil {
		t.Fatal(err)
	}
	for i, o := range batch {
		if !o.Done || o.Result != 1 {
			t.Errorf("op %d: done %v, result %d", i, o.Done, o.Result)
		}
	}
	var got []byte
	for len(got) < n {
		p := make([]byte, 100)
		k, err := sockettest.Read(b, p)
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
	s, _ := sockettest.Pair(t)
	defer unix.Close(s)
	filler := func(n int) (batch []*Op) {
		for range n {
			o := new(Op)
			o.Init(Send, s)
			o.Buf = []byte("x")
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
	if err := e.Submit(batch); err != nil {
		t.Fatal(err)
	}
	for i, o := range batch {
		if !o.Done || o.Result != 1 {
			t.Fatalf("op %d: done %v, result %d", i, o.Done, o.Result)
		}
	}
	if e.stats.Stale != 3*64 {
		t.Errorf("%d completions of earlier generations were dropped, want %d", e.stats.Stale, 3*64)
	}
	e.stats.Stale = 0
}

// TestNothingOutlivesSubmission checks the invariant behind the design: every
// kind of op is answered at once, even where there is nothing to do yet, and even
// if somebody has made the socket blocking.
func TestNothingOutlivesSubmission(t *testing.T) {
	e, bufs := newTestRing(t, 8)
	s, _ := sockettest.Pair(t)
	defer unix.Close(s)
	l := sockettest.Listener(t)
	defer unix.Close(l)
	for _, nonblock := range []bool{true, false} {
		if err := errors.Join(unix.SetNonblock(s, nonblock), unix.SetNonblock(l, nonblock)); err != nil {
			t.Fatal(err)
		}
		var recv, pooled, send, accept Op
		recv.Init(Recv, s)
		recv.Buf = make([]byte, 10)
		pooled.Init(Recv, s)
		pooled.Pooled, pooled.Buf = true, make([]byte, 1)
		send.Init(Send, s)
		send.Buf = make([]byte, 64<<20)
		accept.Init(Accept, l)
		accept.Addr = new(RawSockaddr)
		done := make(chan error, 1)
		go func() { done <- e.Submit([]*Op{&recv, &pooled, &send, &accept}) }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("an op was left armed")
		}
		for name, o := range map[string]*Op{"recv": &recv, "pooled recv": &pooled, "accept": &accept} {
			if o.Errno() != unix.EAGAIN {
				t.Errorf("non-blocking %v: %s: result %d, want EAGAIN", nonblock, name, o.Result)
			}
		}
		// It is more than fits; the second time, the peer's kernel may have made room.
		if send.Errno() != unix.EAGAIN && (send.Result <= 0 || int(send.Result) == len(send.Buf)) {
			t.Errorf("non-blocking %v: send: result %d", nonblock, send.Result)
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
	e.alwaysRing = false
	s, b := sockettest.Pair(t)
	defer unix.Close(s)
	var send, recv, pooled Op
	send.Init(Send, s)
	send.Buf = []byte("xy")
	recv.Init(Recv, s)
	recv.Buf = make([]byte, 10)
	pooled.Init(Recv, s)
	pooled.Pooled, pooled.Buf = true, make([]byte, 1)
	steps := []struct {
		batch  []*Op
		single uint64
		gen    uint32
	}{
		{[]*Op{&send}, 1, 0},
		{[]*Op{&recv}, 2, 0}, // EAGAIN
		{[]*Op{&send, &recv}, 2, 1},
		{[]*Op{&pooled}, 2, 2},
	}
	for i, step := range steps {
		if err := e.Submit(step.batch); err != nil {
			t.Fatal(err)
		}
		if e.stats.Single != step.single || e.gen != step.gen {
			t.Errorf("step %d: %d single ops and %d batches, want %d and %d", i, e.stats.Single, e.gen, step.single, step.gen)
		}
		for _, o := range step.batch {
			if !o.Done || o == &send && o.Result != 2 || o != &send && o.Errno() != unix.EAGAIN {
				t.Errorf("step %d: done %v, result %d", i, o.Done, o.Result)
			}
			o.Done = false
		}
	}
	got := make([]byte, 10)
	if n, err := sockettest.Read(b, got); err != nil || string(got[:n]) != "xyxy" {
		t.Errorf("the peer got %q, %v", got[:n], err)
	}
	if n := bufs.Stats().InUse; n != 0 {
		t.Errorf("%d buffers are in use after EAGAIN", n)
	}
}
