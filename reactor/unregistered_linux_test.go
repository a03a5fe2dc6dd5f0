package reactor

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// TestUnregisteredConnection looks at when a connection enters the epoll set: when it
// first has to wait, and not if that never happens.
func TestUnregisteredConnection(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := unregisteredPair(t, r)
		state := func(what string, wantDirect uint64, wantWatched bool) {
			t.Helper()
			if n := r.Stats().Direct; n != wantDirect {
				t.Errorf("%s: %d direct ops, want %d", what, n, wantDirect)
			}
			if got := watchedByEpoll(t, r, int(a.sysfd)); got != wantWatched {
				t.Errorf("%s: in the epoll set: %v, want %v", what, got, wantWatched)
			}
		}
		if _, err := sockettest.Write(b, []byte("request")); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 1000)
		if n, err := a.Read(p); string(p[:n]) != "request" || err != nil {
			t.Fatalf("Read: %q, %v", p[:n], err)
		}
		if n, err := a.Write([]byte("answer")); n != 6 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		if n, err := a.Writev([][]byte{[]byte("!"), []byte("?")}); n != 2 || err != nil {
			t.Fatalf("Writev: %d, %v", n, err)
		}
		state("a request and its answer", 3, false)
		// A deadline that has passed is found before there is anything to wait for.
		if err := a.SetDeadline(time.Unix(1, 0), true, true); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(p); !isTimeout(err) {
			t.Errorf("Read: %v", err)
		}
		if err := a.SetDeadline(time.Time{}, true, true); err != nil {
			t.Fatal(err)
		}
		state("a read that is late", 3, false)
		go func() {
			awaitAsleep(t, a, &a.rd)
			if _, err := sockettest.Write(b, []byte("x")); err != nil {
				t.Error(err)
			}
		}()
		within(t, "the Read that waits", func() {
			if n, err := a.Read(p); n != 1 || err != nil {
				t.Errorf("Read: %d, %v", n, err)
			}
		})
		direct := r.Stats().Direct
		if direct > 5 { // one more to find nothing, and one to find the byte
			t.Errorf("%d direct ops", direct)
		}
		state("a read that waited", direct, true)
		if n, err := a.Write([]byte("y")); n != 1 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		state("a write after that", direct, true)
	})
}

// TestSmallReadOfAnUnregisteredConnection has a read that needs a shared buffer wait first: no op is run
// before there is something to read.
func TestSmallReadOfAnUnregisteredConnection(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := unregisteredPair(t, r)
		go func() {
			awaitAsleep(t, a, &a.rd)
			if s := r.Stats(); s.Ops != 0 || s.Direct != 0 {
				t.Errorf("%d ops and %d direct ones found nothing", s.Ops, s.Direct)
			}
			if _, err := sockettest.Write(b, []byte("xy")); err != nil {
				t.Error(err)
			}
		}()
		within(t, "Read", func() {
			for _, want := range "xy" {
				var p [1]byte
				if n, err := a.Read(p[:]); n != 1 || err != nil || rune(p[0]) != want {
					t.Errorf("Read: %d, %v, %q", n, err, p)
				}
			}
		})
	})
}

// TestBufferedWriteOfAnUnregisteredConnection writes more than the socket holds to a connection that nobody
// waits on: what coalesces writes must see to it that the rest is sent.
func TestBufferedWriteOfAnUnregisteredConnection(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		a, b := unregisteredPair(t, r)
		want := numbered(8 << 20)
		if err := a.SetCoalescing(len(want) + 1); err != nil {
			t.Fatal(err)
		}
		if n, err := a.Write(want); n != len(want) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		got := make([]byte, len(want))
		if n, err := io.ReadFull(peerReader(b), got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d arrived, %v", n, len(want), err)
		}
	})
}

// TestCloseOfAnUnregisteredConnection closes connections that never waited, while there is something to
// read, nothing, and when the peer has gone.
func TestCloseOfAnUnregisteredConnection(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		for _, before := range []func(b int) error{
			func(int) error { return nil },
			func(b int) error { _, err := sockettest.Write(b, []byte("x")); return err },
			func(b int) error { return unix.Shutdown(b, unix.SHUT_WR) },
		} {
			a, b := unregisteredPair(t, r)
			if err := before(b); err != nil {
				t.Fatal(err)
			}
			// With a duplicate about, closing an unwatched socket is closing, too.
			if err := a.ControlShared(func(int) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if err := a.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if _, err := a.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
				t.Errorf("Read after Close: %v", err)
			}
			if err := a.Close(); !errors.Is(err, ErrClosed) {
				t.Errorf("a second Close: %v", err)
			}
			if err := a.SetDeadline(time.Time{}, true, true); !errors.Is(err, ErrClosed) {
				t.Errorf("taking back no deadline after Close: %v", err)
			}
		}
		if n := r.Stats().Descriptors; n != 0 {
			t.Errorf("%d descriptors are left", n)
		}
	})
}

// TestListenerRegisterFails has a listener find the same: its maker keeps the socket.
func TestListenerRegisterFails(t *testing.T) {
	r := newReactor(t, engine.Auto)
	s := sockettest.Listener(t)
	defer unix.Close(s)
	if err := unix.EpollCtl(r.poll.epfd, unix.EPOLL_CTL_ADD, s, &unix.EpollEvent{Pad: -1}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.NewListener(s); !errors.Is(err, unix.EEXIST) {
		t.Errorf("NewListener: %v, want EEXIST", err)
	}
	if n := r.Stats().Descriptors; n != 0 {
		t.Errorf("%d descriptors are left", n)
	}
	if _, err := unix.Getsockname(s); err != nil {
		t.Errorf("the socket: %v", err)
	}
}

// TestRegisterFails has every kind of waiting call find that its connection cannot
// enter the epoll set. Each must say so, and none may hang.
func TestRegisterFails(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		// more is more than fits into the socket.
		more := make([]byte, 64<<20)
		for name, call := range map[string]func(a *FD) error{
			"Read":      func(a *FD) error { _, err := a.Read(make([]byte, 1000)); return err },
			"tiny Read": func(a *FD) error { _, err := a.Read(make([]byte, 1)); return err },
			"ReadLease": func(a *FD) error { return a.ReadLease(new(Lease)) },
			"RawRead":   func(a *FD) error { return a.RawRead(func(int) bool { return false }) },
			"Write":     func(a *FD) error { _, err := a.Write(more); return err },
			"Writev":    func(a *FD) error { _, err := a.Writev([][]byte{more, more}); return err },
			"buffered Write": func(a *FD) error {
				if err := a.SetCoalescing(1 << 20); err != nil {
					t.Error(err)
				}
				for range len(more) >> 10 {
					if _, err := a.Write(more[:1<<10]); err != nil {
						return err
					}
				}
				return a.Flush()
			},
		} {
			a, _ := unregisteredPair(t, r)
			// epoll refuses what it has already.
			if err := unix.EpollCtl(r.poll.epfd, unix.EPOLL_CTL_ADD, int(a.sysfd), &unix.EpollEvent{Fd: int32(a.id.index), Pad: -1}); err != nil {
				t.Fatal(err)
			}
			within(t, name, func() {
				var se *os.SyscallError
				if err := call(a); !errors.As(err, &se) || se.Syscall != "epoll_ctl" || !errors.Is(err, unix.EEXIST) {
					t.Errorf("%s: %v, want epoll_ctl's EEXIST", name, err)
				}
				// What was not sent is lost, and has been reported.
				if err := a.Close(); err != nil {
					t.Errorf("%s, then Close: %v", name, err)
				}
			})
		}
	})
}

// TestBackgroundRead has a connection do as net/http does: a read of one byte in the
// background is interrupted, and the next message is received.
func TestBackgroundRead(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		// An interruption may come before the read has started.
		for _, early := range []bool{true, false} {
			a, b := tcpPair(t, r)
			if a.background {
				t.Error("a new connection counts as one that reads in the background")
			}
			for range 3 {
				interrupt := func() {
					if err := a.SetDeadline(longAgo, true, false); err != nil {
						t.Fatal(err)
					}
				}
				if early {
					interrupt()
				}
				interrupted := make(chan error, 1)
				go func() {
					_, err := a.Read(make([]byte, 1))
					interrupted <- err
				}()
				if !early {
					awaitAsleep(t, a, &a.rd)
					interrupt()
				}
				within(t, "the interrupted Read", func() {
					if err := <-interrupted; !isTimeout(err) {
						t.Errorf("the interrupted Read: %v", err)
					}
				})
				if err := a.SetDeadline(time.Time{}, true, false); err != nil {
					t.Fatal(err)
				}
				if _, err := sockettest.Write(b, []byte("message")); err != nil {
					t.Fatal(err)
				}
				p := make([]byte, 1000)
				within(t, "Read", func() {
					if n, err := a.Read(p); string(p[:n]) != "message" || err != nil {
						t.Errorf("Read: %q, %v", p[:n], err)
					}
				})
				if !a.rd.op.wakesSysmon {
					t.Error("a connection that reads in the background does not wake sysmon")
				}
			}
			if err := unix.Shutdown(b, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			within(t, "the end", func() {
				if _, err := a.Read(make([]byte, 1000)); err != io.EOF {
					t.Errorf("Read: %v, want EOF", err)
				}
			})
		}
	})
}
