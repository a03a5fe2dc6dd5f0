package reactor

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
)

// TestWithoutFeature takes the ring's features away one by one: what is left has
// to do.
func TestWithoutFeature(t *testing.T) {
	requireEngine(t, URing)
	all, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	for name, without := range map[string]func(*tiers){
		"SUBMIT_ALL":    func(t *tiers) { t.submitAll = false },
		"provided":      func(t *tiers) { t.provided = false },
		"nonempty":      func(t *tiers) { t.nonempty = false },
		"accept":        func(t *tiers) { t.ops &^= 1 << opAccept },
		"sendmsg":       func(t *tiers) { t.ops &^= 1 << opSendv },
		"all but those": func(t *tiers) { *t = tiers{ops: 1<<opRecv | 1<<opSend} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newReactor(t, URing)
			reduced := all
			without(&reduced)
			useTiers(t, r, reduced)
			exercise(t, r)
			if s := r.Stats(); s.Engine != URing || s.Demoted != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// useTiers gives r, which has done nothing yet, a ring with other features.
func useTiers(t *testing.T, r *Reactor, with tiers) {
	t.Helper()
	r.ringMu.Lock()
	defer r.ringMu.Unlock()
	if err := errors.Join(r.eng.close(), r.bufs.Reclaim()); err != nil {
		t.Fatal(err)
	}
	e, err := newURing(maxBatch, r.bufs, with)
	if err != nil {
		t.Fatal(err)
	}
	e.ringOnly = true
	r.eng = e
}

// exercise has r do everything it can: accept, read and write little and much,
// with and without shared buffers, and close.
func exercise(t *testing.T, r *Reactor) {
	t.Helper()
	l, dial := newListener(t, r)
	peer := dial()
	var fd *FD
	within(t, "accepting", func() {
		a, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if fd, err = r.NewFD(a.Sysfd, true); err != nil {
			t.Error(err, unix.Close(a.Sysfd))
		}
	})
	if fd == nil {
		return
	}
	want := bytes.Repeat([]byte("0123456789"), 3000)
	sent := make(chan error, 1)
	go func() {
		_, err := peerWrite(peer, want)
		sent <- errors.Join(err, unix.Shutdown(peer, unix.SHUT_WR))
	}()
	within(t, "reading", func() {
		var got []byte
		for size := 1; ; size = 1 + size*2%1021 { // below and above the threshold
			p := make([]byte, size)
			n, err := fd.Read(p)
			got = append(got, p[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Error(err)
				break
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived, or others than the %d sent", len(got), len(want))
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
	within(t, "writing", func() {
		if n, err := fd.Write(want[:700]); n != 700 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		if n, err := fd.Writev([][]byte{want[700:1000], nil, want[1000:2000]}); n != 1300 || err != nil {
			t.Errorf("Writev: %d, %v", n, err)
		}
		if err := fd.Close(); err != nil {
			t.Error(err)
		}
	})
	var got []byte
	for p := make([]byte, 4096); ; {
		n, err := peerRead(peer, p)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		got = append(got, p[:n]...)
	}
	if !bytes.Equal(got, want[:2000]) {
		t.Errorf("%d bytes arrived at the peer, or others than the 2000 sent", len(got))
	}
}

// TestDemotion has a ring refuse what the probe said it can do.
func TestDemotion(t *testing.T) {
	requireEngine(t, URing)
	a, b := tcpSockets(t)
	defer unix.Close(a)
	for _, tc := range []struct {
		kind   opKind
		pooled bool
	}{{opRecv, true}, {opRecv, false}, {opSend, false}} {
		e, bufs := newTestRing(t, 8)
		if _, err := peerWrite(b, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		var owner countingOwner
		o := new(op)
		o.init(&owner, tc.kind, a)
		o.pooled, o.buf = tc.pooled, make([]byte, 5)
		e.answer(o, -int32(unix.EOPNOTSUPP), 0)
		if !o.done || o.res != 5 || e.demoted != 1 || e.provided && tc.kind == opRecv || !tc.pooled && e.ops.has(tc.kind) {
			t.Errorf("%+v: result %d, tiers %+v", tc, o.res, e.tiers)
		}
		got := make([]byte, 5)
		switch {
		case tc.kind == opSend:
			if _, err := peerRead(b, got); err != nil {
				t.Fatal(err)
			}
			copy(o.buf, sysDrain(t, a))
		case tc.pooled:
			if o.bid == noBuffer {
				t.Fatalf("%+v: no buffer", tc)
			}
			copy(o.buf, bufs.Bytes(uint16(o.bid), 5))
			bufs.Recycle(uint16(o.bid))
		}
		if string(o.buf) != "hello" {
			t.Errorf("%+v: %q was received", tc, o.buf)
		}
		// From now on it does not get that far.
		next := new(op)
		next.init(&owner, tc.kind, a)
		next.pooled, next.buf = tc.pooled, []byte("again")
		if err := e.submit([]*op{next}); err != nil || !next.done {
			t.Errorf("%+v: the next op: %v, done %v", tc, err, next.done)
		}
		if tc.kind == opSend {
			if _, err := peerRead(b, got); err != nil || string(got) != "again" {
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
	l := listenSocket(t)
	defer unix.Close(l)
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	var owner countingOwner
	accept := new(op) // of a socket that does not listen
	accept.init(&owner, opAccept, s)
	accept.sa = new(rawSockaddr)
	if err := e.submit([]*op{accept}); err != nil || accept.errno() != unix.EINVAL {
		t.Errorf("%v, result %d, want EINVAL", err, accept.res)
	}
	if e.demoted != 0 || !e.ops.has(opAccept) {
		t.Errorf("demoted %d, tiers %+v", e.demoted, e.tiers)
	}
}

// TestBreakdown looks at what a broken ring leaves of a batch.
func TestBreakdown(t *testing.T) {
	requireEngine(t, URing)
	bufs, err := bufring.New(4, 4096)
	if err != nil {
		t.Fatal(err)
	}
	all, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	all.provided = false
	e, err := newURing(8, bufs, all)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(e.close(), bufs.Close()); err != nil {
			t.Error(err)
		}
	}()
	a, _ := tcpSockets(t)
	defer unix.Close(a)
	var owner countingOwner
	batch := make([]*op, 5)
	for i := range batch {
		batch[i] = new(op)
		batch[i].init(&owner, opRecv, a)
		batch[i].pooled = true
		id, ok := bufs.Take()
		if !ok {
			continue
		}
		batch[i].bid = int32(id)
	}
	batch[0].finish(0) // answered, with its buffer in use
	batch[4].finish(-int32(unix.ENOBUFS))
	// Of three submissions, the kernel took the first and did not answer.
	if err := e.breakdown(batch, 2, 3, unix.EBADR); !errors.Is(err, unix.EBADR) {
		t.Error(err)
	}
	done := []bool{true, true, false, false, true}
	for i, o := range batch {
		if o.done != done[i] || i > 0 && o.bid != noBuffer {
			t.Errorf("op %d: done %v, buffer %d", i, o.done, o.bid)
		}
	}
	if batch[1].errno() != unix.EIO {
		t.Errorf("an op of unknown fate ends with %v, want EIO", batch[1].errno())
	}
	if n := bufs.Stats().InUse; n != 1 {
		t.Errorf("%d buffers in use, want 1", n)
	}
	bufs.Recycle(uint16(batch[0].bid))
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
