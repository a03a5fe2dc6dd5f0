package reactor

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// TestWithoutFeature takes the ring's features away one by one: what is left has
// to do.
func TestWithoutFeature(t *testing.T) {
	requireEngine(t, engine.URing)
	optional := []string{"SENDMSG", "ACCEPT without waiting", "SUBMIT_ALL", "provided-buffer ring", "CQE_F_SOCK_NONEMPTY"}
	cases := [][]string{optional}
	for i := range optional {
		cases = append(cases, optional[i:i+1])
	}
	for _, without := range cases {
		t.Run(without[0], func(t *testing.T) {
			r := newReactor(t, engine.URing)
			useRing(t, r, without)
			exercise(t, r)
			if s := r.Stats(); s.Engine != engine.URing || s.Demoted != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// useRing gives r, which has done nothing yet, a ring without some features.
func useRing(t *testing.T, r *Reactor, without []string) {
	t.Helper()
	s := &r.submitter
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.eng.Close(), s.bufs.Reclaim()); err != nil {
		t.Fatal(err)
	}
	e, _, err := engine.New(engine.Config{Kind: engine.URing, Size: maxBatch, Buffers: s.bufs, Without: without, AlwaysRing: true})
	if err != nil {
		t.Fatal(err)
	}
	s.eng = e
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
		_, err := sockettest.Write(peer, want)
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
		n, err := sockettest.Read(peer, p)
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
