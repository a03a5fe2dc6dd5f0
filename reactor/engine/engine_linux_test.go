package engine

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bufring"
	"github.com/netring-go/netring/internal/sockettest"
)

// Both engines, and Run, answer a Recv the same way.
func TestRecvAnswers(t *testing.T) {
	requireRing(t)
	for _, kind := range []Kind{URing, Syscall, Auto} {
		for _, pooled := range []bool{false, true} {
			bufs, err := bufring.New(2, 512)
			if err != nil {
				t.Fatal(err)
			}
			e, _, err := New(Config{Kind: kind, Size: 8, Buffers: bufs, AlwaysRing: true})
			if err != nil {
				t.Fatal(err)
			}
			a, b := sockettest.Pair(t)
			room := 4
			if pooled {
				room = bufs.BufferSize()
			}
			sent := make([]byte, room+2)
			for i := range sent {
				sent[i] = byte(i)
			}
			o := newOp(Recv, a)
			receive := func(submit func() error, wantErr unix.Errno, want []byte, drained bool) {
				t.Helper()
				o.Done, o.Pooled, o.Buf = false, pooled, make([]byte, 4)
				if err := submit(); err != nil || !o.Done {
					t.Fatal(err, o.Done)
				}
				got := o.Buf[:min(max(o.Result, 0), 4)]
				if o.Buffer != NoBuffer {
					got = bufs.Bytes(uint16(o.Buffer), int(o.Result))
					defer func() { bufs.Recycle(uint16(o.Buffer)); o.Buffer = NoBuffer }()
				}
				if o.Errno() != wantErr || string(got) != string(want) || o.Result > 0 && o.Drained != drained {
					t.Errorf("%v, pooled %v: %v, drained %v, % x; want %v, %v, % x", kind, pooled, o.Errno(), o.Drained, got, wantErr, drained, want)
				}
			}
			submits := []func() error{func() error { return e.Submit([]*Op{o}) }}
			if !pooled {
				submits = append(submits, func() error { Run(o); return nil })
			}
			for _, submit := range submits {
				receive(submit, unix.EAGAIN, nil, false)
				if _, err := sockettest.Write(b, sent); err != nil {
					t.Fatal(err)
				}
				receive(submit, 0, sent[:room], false)
				receive(submit, 0, sent[room:], true)
			}
			if err := unix.Shutdown(b, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			for _, submit := range submits {
				receive(submit, 0, nil, false)
			}
			if n := bufs.Stats().InUse; n != 0 {
				t.Errorf("%v: %d buffers are in use", kind, n)
			}
			for _, err := range []error{e.Close(), bufs.Close(), unix.Close(a)} {
				if err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// Every kind of op has a form, and the ring and the system call agree on what happens
// to a socket that is not one.
func TestEveryKindHasAForm(t *testing.T) {
	e, _ := newTestRing(t, 8)
	var v Iovecs
	v.Load([][]byte{[]byte("x")})
	for kind := range opKinds {
		f := forms[kind]
		if f.fill == nil || f.call == nil || f.trial == nil || features[f.feature].Name == "" {
			t.Fatalf("kind %d has no complete form: %+v", kind, f)
		}
		var got []unix.Errno
		for _, run := range []func(o *Op) error{func(o *Op) error { return e.Submit([]*Op{o}) }, func(o *Op) error { Run(o); return nil }} {
			o := newOp(kind, -1)
			o.Buf, o.Addr, o.Msg = []byte("x"), new(RawSockaddr), v.Msg()
			if err := run(o); err != nil || !o.Done {
				t.Fatal(err, o.Done)
			}
			got = append(got, o.Errno())
		}
		if got[0] != unix.EBADF || got[1] != unix.EBADF {
			t.Errorf("kind %d on descriptor -1: the ring answers %v and the system call %v; want EBADF", kind, got[0], got[1])
		}
	}
}

func TestNewErrors(t *testing.T) {
	if _, _, err := New(Config{Kind: 9, Size: 8}); err == nil {
		t.Error("an unknown engine was accepted")
	}
	requireRing(t)
	if _, _, err := New(Config{Kind: URing, Size: 8, Without: []string{"ring"}}); err == nil {
		t.Error("a ring without a ring was accepted")
	}
	e, reason, err := New(Config{Kind: Auto, Size: 8})
	if err != nil || e.Kind() != URing || reason != nil {
		t.Fatalf("auto is %v because of %v, %v", e, reason, err)
	}
	cause := fmt.Errorf("broken")
	bufs, err := bufring.New(2, 512)
	if err != nil {
		t.Fatal(err)
	}
	next, reason := Replace(e, cause, bufs)
	if next.Kind() != Syscall || reason == nil {
		t.Errorf("a broken ring is replaced by %v because of %v", next.Kind(), reason)
	}
	if err := bufs.Close(); err != nil {
		t.Error(err)
	}
}
