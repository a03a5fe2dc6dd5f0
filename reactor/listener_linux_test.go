package reactor

import (
	"errors"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// newListener returns a listener on r and a function that connects to it.
func newListener(t testing.TB, r *Reactor) (l *Listener, dial func() int) {
	t.Helper()
	s := sockettest.Listener(t)
	sa, err := unix.Getsockname(s)
	if err != nil {
		t.Fatal(err)
	}
	if l, err = r.NewListener(s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return l, func() int {
		t.Helper()
		return connect(t, sa)
	}
}

// connect returns a socket that is connected to sa for as long as the test runs.
func connect(t testing.TB, sa unix.Sockaddr) int {
	t.Helper()
	family := unix.AF_INET
	if _, ok := sa.(*unix.SockaddrUnix); ok {
		family = unix.AF_UNIX
	}
	c, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Close(c); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Connect(c, sa); err != nil {
		t.Fatal(err)
	}
	return c
}

// acceptOne accepts a connection and closes it.
func acceptOne(l *Listener) error {
	a, err := l.Accept()
	if err == nil {
		err = unix.Close(a.Sysfd)
	}
	return err
}

func TestAccept(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		l, dial := newListener(t, r)
		const conns = 100
		peers := map[uint16]bool{}
		for range conns {
			c := dial()
			sa, err := unix.Getsockname(c)
			if err != nil {
				t.Fatal(err)
			}
			peers[uint16(sa.(*unix.SockaddrInet4).Port)] = true
		}
		for range conns {
			a, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if !peers[a.Peer.IP.Port()] {
				t.Errorf("accepted %v, which nobody dialled from, or twice", a.Peer)
			}
			delete(peers, a.Peer.IP.Port())
			flags, err := unix.FcntlInt(uintptr(a.Sysfd), unix.F_GETFL, 0)
			if err != nil || flags&unix.O_NONBLOCK == 0 {
				t.Errorf("accepted socket: flags %#x, %v: want O_NONBLOCK", flags, err)
			}
			fdFlags, err := unix.FcntlInt(uintptr(a.Sysfd), unix.F_GETFD, 0)
			if err != nil || fdFlags&unix.FD_CLOEXEC == 0 {
				t.Errorf("accepted socket: descriptor flags %#x, %v: want FD_CLOEXEC", fdFlags, err)
			}
			if err := unix.Close(a.Sysfd); err != nil {
				t.Error(err)
			}
		}
		if s := r.Stats(); s.Batches >= s.Ops {
			t.Errorf("%d batches for %d ops: accepts were not batched", s.Batches, s.Ops)
		}
	})
}

// TestAcceptCounted has the reactor take what there is and never try in vain.
func TestAcceptCounted(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		l, dial := newListener(t, r)
		ops := uint64(0)
		for _, conns := range []int{1, 2, 7, maxAccepts, maxAccepts + 5, 3} {
			for range conns {
				dial()
			}
			within(t, "Accept", func() {
				for range conns {
					if err := acceptOne(l); err != nil {
						t.Error(err)
						return
					}
				}
			})
			ops += uint64(conns)
		}
		waiting := make(chan error)
		go func() {
			_, err := l.Accept()
			waiting <- err
		}()
		awaitAccept(t, l) // that is to say, until it has looked for more
		if s := r.Stats(); s.Ops != ops {
			t.Errorf("%d accepts for %d connections", s.Ops, ops)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := <-waiting; err != ErrClosed {
			t.Errorf("Accept: %v", err)
		}
	})
}

// TestAcceptNothing has an event for connections that are gone by the time that the
// reactor looks.
func TestAcceptNothing(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		l, dial := newListener(t, r)
		accepted := make(chan error)
		go func() { accepted <- acceptOne(l) }()
		awaitAccept(t, l)
		var ops [maxEventOps]*op
		if n := l.event(unix.EPOLLIN, &ops); n != 0 {
			t.Errorf("%d accepts, and nobody is there", n)
		}
		dial()
		within(t, "Accept", func() {
			if err := <-accepted; err != nil {
				t.Error(err)
			}
		})
	})
}

// TestAcceptUncounted has listeners whose backlog the kernel does not tell.
func TestAcceptUncounted(t *testing.T) {
	unixSocket := func() (int, unix.Sockaddr, error) {
		s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		sa := &unix.SockaddrUnix{Name: filepath.Join(t.TempDir(), "l")}
		return s, sa, errors.Join(err, unix.Bind(s, sa), unix.Listen(s, 128))
	}
	for name, c := range map[string]struct {
		listen func() (int, unix.Sockaddr, error)
		conns  int // as many at a time as connect(2) need not wait for
	}{
		"unix": {unixSocket, 20},
		"a backlog of 0": {func() (int, unix.Sockaddr, error) {
			s := sockettest.Listener(t)
			sa, err := unix.Getsockname(s)
			return s, sa, errors.Join(err, unix.Listen(s, 0))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, kind engine.Kind) {
				r := newReactor(t, kind)
				s, sa, err := c.listen()
				if err != nil {
					t.Fatal(err)
				}
				l, err := r.NewListener(s)
				if err != nil {
					t.Fatal(err)
				}
				for range 3 {
					for range c.conns {
						connect(t, sa)
					}
					within(t, "Accept", func() {
						for range c.conns {
							if err := acceptOne(l); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
				l.mu.Lock()
				n := l.backlog()
				l.mu.Unlock()
				if n != -1 {
					t.Errorf("a backlog of %d connections", n)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestAcceptShutDown shuts the listening socket down: there is nothing to accept,
// and the error must show.
func TestAcceptShutDown(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		l, _ := newListener(t, newReactor(t, kind))
		waiting := make(chan error)
		go func() {
			_, err := l.Accept()
			waiting <- err
		}()
		awaitAccept(t, l)
		if err := l.Control(func(sysfd int) error { return unix.Shutdown(sysfd, unix.SHUT_RD) }); err != nil {
			t.Fatal(err)
		}
		within(t, "Accept", func() {
			if err := <-waiting; err != unix.EINVAL {
				t.Errorf("Accept: %v", err)
			}
		})
	})
}

func TestAcceptFaults(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		l, dial := newListener(t, r)
		var mu sync.Mutex
		faults := []syscall.Errno{unix.ECONNABORTED, unix.EINTR, unix.EMFILE, unix.ENOBUFS}
		inject(r, func(o *engine.Op) (errno syscall.Errno, _ int) {
			mu.Lock()
			defer mu.Unlock()
			if o.Kind == engine.Accept && len(faults) > 0 {
				errno, faults = faults[0], faults[1:]
			}
			return errno, 0
		})
		dial()
		within(t, "Accept", func() {
			// The first two are dealt with inside, the others are the caller's.
			for _, want := range []syscall.Errno{unix.EMFILE, unix.ENOBUFS} {
				if _, err := l.Accept(); err != want {
					t.Errorf("got %v, want %v", err, want)
				}
			}
			if err := acceptOne(l); err != nil {
				t.Errorf("after the faults: %v", err)
			}
		})
	})
}

func TestAcceptDeadline(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		l, dial := newListener(t, newReactor(t, kind))
		set := func(tm time.Time) {
			t.Helper()
			if err := l.SetDeadline(tm); err != nil {
				t.Fatal(err)
			}
		}
		set(time.Now().Add(20 * time.Millisecond))
		within(t, "Accept", func() {
			if _, err := l.Accept(); !isTimeout(err) {
				t.Errorf("a deadline that passes: %v", err)
			}
		})
		dial()
		if _, err := l.Accept(); !isTimeout(err) {
			t.Errorf("a past deadline, and a connection there: %v", err)
		}
		set(time.Time{})
		if err := acceptOne(l); err != nil {
			t.Fatalf("after clearing: %v", err)
		}
		woken := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			woken <- err
		}()
		awaitAccept(t, l)
		set(time.Unix(1, 0))
		within(t, "Accept", func() {
			if err := <-woken; !isTimeout(err) {
				t.Errorf("a deadline set while accepting: %v", err)
			}
		})
	})
}

func awaitAccept(t testing.TB, l *Listener) {
	t.Helper()
	within(t, "getting an Accept to wait", func() {
		for {
			l.mu.Lock()
			state := l.state
			l.mu.Unlock()
			if state == callWaiting {
				return
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
}

// TestAcceptedSurviveClose has connections accepted ahead of their Accept when
// the listener is closed: they are still handed out.
func TestAcceptedSurviveClose(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		l, dial := newListener(t, r)
		const conns = 12
		for range conns {
			dial()
		}
		if err := acceptOne(l); err != nil { // in a batch with all the others
			t.Fatal(err)
		}
		l.mu.Lock()
		ahead := len(l.queue)
		l.mu.Unlock()
		if ahead == 0 {
			t.Fatal("nothing was accepted ahead")
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for range ahead - 1 {
			if err := acceptOne(l); err != nil {
				t.Fatalf("after Close: %v", err)
			}
		}
		// One is left to the reactor's Close, which must not leak it.
	})
}

func TestListenerCloseWakes(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		for range 50 {
			l, _ := newListener(t, r)
			var wg sync.WaitGroup
			errs := make(chan error, 3)
			for range 3 {
				wg.Go(func() {
					_, err := l.Accept()
					errs <- err
				})
			}
			if err := l.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			within(t, "waking", wg.Wait)
			for range 3 {
				if err := <-errs; !errors.Is(err, ErrClosed) {
					t.Errorf("woken with %v", err)
				}
			}
			if err := l.Close(); !errors.Is(err, ErrClosed) {
				t.Errorf("the second Close: %v", err)
			}
			if err := l.SetDeadline(time.Now()); !errors.Is(err, ErrClosed) {
				t.Errorf("SetDeadline after Close: %v", err)
			}
		}
	})
}
