package reactor

import (
	"io"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// borrow puts sysfd on the reactor until the end of the test, which closes it then.
func borrow(t *testing.T, r *Reactor, sysfd int) (b *Borrowed, release func()) {
	t.Helper()
	b, err := r.Borrow(sysfd, true)
	if err != nil {
		t.Fatal(err)
	}
	released := false
	release = func() {
		if released {
			return
		}
		released = true
		if err := b.Release(); err != nil {
			t.Errorf("Release: %v", err)
		}
	}
	t.Cleanup(func() {
		release()
		if err := unix.Close(sysfd); err != nil {
			t.Errorf("the descriptor is not the owner's any more: %v", err)
		}
	})
	return b, release
}

// borrowedPair is tcpPair for a Borrowed.
func borrowedPair(t *testing.T, r *Reactor) (b *Borrowed, sysfd, peer int) {
	t.Helper()
	sysfd, peer = sockettest.Pair(t)
	b, _ = borrow(t, r, sysfd)
	return b, sysfd, peer
}

// awaitSleep returns when a call on the side waits for the socket.
func awaitSleep(t *testing.T, b *Borrowed, write bool) {
	t.Helper()
	s, _ := b.side(write)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		b.fd.mu.Lock()
		asleep := s.state.asleep()
		b.fd.mu.Unlock()
		if asleep {
			return
		}
		if time.Now().After(end) {
			t.Fatal("no call waits")
		}
	}
}

// A small read takes no more from the socket than it was asked for.
func TestBorrowedReads(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		b, sysfd, peer := borrowedPair(t, newReactor(t, kind))
		got := make(chan byte)
		go func() {
			defer close(got)
			p := make([]byte, 1)
			if n, err := b.Read(p); n != 1 || err != nil {
				t.Errorf("Read: %d, %v", n, err)
			}
			got <- p[0]
		}()
		awaitSleep(t, b, false)
		if _, err := sockettest.Write(peer, []byte("0123456789")); err != nil {
			t.Fatal(err)
		}
		within(t, "Read", func() {
			if c := <-got; c != '0' {
				t.Errorf("Read got %q", c)
			}
		})
		p := make([]byte, 100)
		if n, err := unix.Read(sysfd, p); string(p[:max(n, 0)]) != "123456789" {
			t.Errorf("the socket has %q, %v; want the rest of the stream", p[:max(n, 0)], err)
		}
		within(t, "writing", func() {
			if n, err := b.Write([]byte("abc")); n != 3 || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			if n, err := b.Writev([][]byte{[]byte("de"), nil, []byte("f")}); n != 3 || err != nil {
				t.Errorf("Writev: %d, %v", n, err)
			}
			if _, err := io.ReadFull(peerReader(peer), p[:6]); string(p[:6]) != "abcdef" {
				t.Errorf("the peer got %q, %v", p[:6], err)
			}
		})
	})
}

// Wait sees what has come since Prepare, and whatever comes later.
func TestBorrowedWait(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		b, sysfd, peer := borrowedPair(t, newReactor(t, kind))
		p := make([]byte, 10)
		empty := func(when string) {
			t.Helper()
			if n, err := unix.Read(sysfd, p); err != unix.EAGAIN {
				t.Fatalf("%s, the socket has %d bytes, %v; want none", when, n, err)
			}
		}
		for i := range 4 {
			if err := b.Prepare(false); err != nil {
				t.Fatal(err)
			}
			empty("after Prepare")
			woken := make(chan error, 1)
			early := i%2 == 0 // the first time, that is before the socket is in the epoll set
			if early {
				if _, err := sockettest.Write(peer, []byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			go func() {
				for { // it may return early
					if err := b.Wait(false); err != nil {
						woken <- err
						return
					}
					if n, err := unix.Read(sysfd, p); err != unix.EAGAIN {
						if n != 1 {
							t.Errorf("read: %d, %v", n, err)
						}
						woken <- nil
						return
					}
				}
			}()
			if !early {
				awaitSleep(t, b, false)
				if _, err := sockettest.Write(peer, []byte("x")); err != nil {
					t.Fatal(err)
				}
			}
			within(t, "Wait", func() {
				if err := <-woken; err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
			empty("after the read")
		}
	})
}

// Deadlines and Close end Prepare, Wait and Read, and leave the descriptor alone.
func TestBorrowedEnds(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		b, sysfd, _ := borrowedPair(t, newReactor(t, kind))
		calls := map[string]func() error{
			"Wait": func() error {
				for {
					if err := b.Wait(false); err != nil {
						return err
					}
				}
			},
			"Read": func() error { _, err := b.Read(make([]byte, 1)); return err },
		}
		ended := func(what string, call func() error, end func() error, want func(error) bool) {
			t.Helper()
			result := make(chan error, 1)
			go func() { result <- call() }()
			awaitSleep(t, b, false)
			if err := end(); err != nil {
				t.Fatal(err)
			}
			within(t, what, func() {
				if err := <-result; !want(err) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		for what, call := range calls {
			ended(what, call, func() error { return b.SetDeadline(longAgo, true, false) }, isTimeout)
			if err := b.Prepare(false); !isTimeout(err) {
				t.Errorf("Prepare after the deadline: %v", err)
			}
			if err := b.Prepare(true); err != nil {
				t.Errorf("Prepare to write: %v", err)
			}
			if err := b.SetDeadline(time.Time{}, true, false); err != nil {
				t.Fatal(err)
			}
		}
		ended("Wait", calls["Wait"], b.Close, func(err error) bool { return err == ErrClosed })
		if err := b.Prepare(false); err != ErrClosed {
			t.Errorf("Prepare after Close: %v", err)
		}
		if err := b.Close(); err != ErrClosed {
			t.Errorf("the second Close: %v", err)
		}
		if _, err := unix.Write(sysfd, []byte("x")); err != nil {
			t.Errorf("Close has touched the socket: %v", err)
		}
	})
}

// Release takes the socket out of the epoll set, even if it has a duplicate, and the
// reactor's Close waits for it.
func TestBorrowedRelease(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		sysfd, _ := sockettest.Pair(t)
		b, release := borrow(t, r, sysfd)
		duplicate, err := unix.FcntlInt(uintptr(sysfd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := unix.Close(duplicate); err != nil {
				t.Error(err)
			}
		}()
		if err := b.SetDeadline(time.Now().Add(time.Millisecond), true, false); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Read(make([]byte, 1)); !isTimeout(err) {
			t.Fatalf("Read: %v", err)
		}
		if !watchedByEpoll(t, r, sysfd) {
			t.Fatal("a socket that a call has waited for is not in the epoll set")
		}
		second, _ := sockettest.Pair(t)
		_, releaseSecond := borrow(t, r, second)
		release()
		if watchedByEpoll(t, r, sysfd) {
			t.Error("Release leaves the socket in the epoll set")
		}
		closed := make(chan error, 1)
		go func() { closed <- r.Close() }()
		select {
		case err := <-closed:
			t.Errorf("Reactor.Close does not wait for Release: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		releaseSecond()
		within(t, "Reactor.Close", func() {
			if err := <-closed; err != nil {
				t.Errorf("Reactor.Close: %v", err)
			}
		})
		if _, err := r.Borrow(sysfd, true); err != ErrClosed {
			t.Errorf("Borrow after Close: %v", err)
		}
	})
}

// A socket that is being connected becomes writable.
func TestBorrowedConnects(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		l := sockettest.Listener(t)
		defer func() {
			if err := unix.Close(l); err != nil {
				t.Error(err)
			}
		}()
		sa, err := unix.Getsockname(l)
		if err != nil {
			t.Fatal(err)
		}
		sysfd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := borrow(t, newReactor(t, kind), sysfd)
		b.SetDirectWrites()
		if err := unix.Connect(sysfd, sa); err != nil && err != unix.EINPROGRESS {
			t.Fatal(err)
		}
		within(t, "connecting", func() {
			for {
				if err := b.Wait(true); err != nil {
					t.Errorf("Wait: %v", err)
					return
				}
				if _, err := unix.Getpeername(sysfd); err == nil {
					break
				}
			}
			if n, err := b.Write([]byte("x")); n != 1 || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		})
	})
}

// Release waits for the ops under way.
func TestBorrowedReleaseWaits(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		sysfd, peer := sockettest.Pair(t)
		b, release := borrow(t, r, sysfd)
		begun, finish := make(chan struct{}), make(chan struct{})
		inject(r, func(*engine.Op) (syscall.Errno, int) {
			close(begun)
			<-finish
			return 0, 0
		})
		read := make(chan error, 1)
		go func() {
			_, err := b.Read(make([]byte, 1))
			read <- err
		}()
		awaitSleep(t, b, false)
		if _, err := sockettest.Write(peer, []byte("x")); err != nil {
			t.Fatal(err)
		}
		within(t, "the op", func() { <-begun })
		released := make(chan struct{})
		go func() {
			defer close(released)
			release()
		}()
		select {
		case <-released:
			t.Error("Release does not wait for the op")
		case <-time.After(20 * time.Millisecond):
		}
		close(finish)
		within(t, "Release", func() {
			<-released
			if err := <-read; err != nil {
				t.Errorf("Read: %v; its byte counts", err)
			}
		})
	})
}
