package reactor

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// engines runs f once for each engine.
func engines(t *testing.T, f func(t *testing.T, kind EngineKind)) {
	for _, kind := range []EngineKind{URing, Syscall} {
		t.Run(kind.String(), func(t *testing.T) {
			requireEngine(t, kind)
			f(t, kind)
		})
	}
}

// requireEngine skips the test where the kernel or the sandbox refuses io_uring,
// and only there.
func requireEngine(t testing.TB, kind EngineKind) {
	if kind != URing {
		return
	}
	_, err := Probe()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("io_uring is refused here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// testConfig is a reactor's configuration for tests: few buffers, so that they
// run out, and large writes in batches like others, where faults are injected.
func testConfig(kind EngineKind) Config {
	return Config{Engine: kind, Buffers: 8, BufferSize: 4096, LargeWrite: -1}
}

// newReactor returns a reactor that is closed, and checked, at the end of the
// test.
func newReactor(t testing.TB, kind EngineKind) *Reactor {
	t.Helper()
	return newReactorWith(t, testConfig(kind))
}

// newReactorWith is newReactor with a configuration of the test's own.
func newReactorWith(t testing.TB, cfg Config) *Reactor {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil && err != ErrClosed { // some tests close it themselves
			t.Errorf("Reactor.Close: %v", err)
		}
		if s := r.Stats(); s.Stale != 0 || s.Descriptors != 0 || s.Buffers.InUse != 0 {
			t.Errorf("after Close: %d stale completions, %d descriptors, %d buffers in use", s.Stale, s.Descriptors, s.Buffers.InUse)
		}
	})
	return r
}

// tcpPair returns the two ends of a TCP connection: a on a reactor, b a plain
// blocking socket. The reactor watches a already, as if it had waited before.
func tcpPair(t testing.TB, r *Reactor) (a *FD, b int) {
	t.Helper()
	a, b = freshPair(t, r)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.watch(fdEvents); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// watchedByEpoll reports whether sysfd is in r's epoll set, which refuses it then.
func watchedByEpoll(t testing.TB, r *Reactor, sysfd int) bool {
	t.Helper()
	// No slot has this generation.
	err := unix.EpollCtl(r.epfd, unix.EPOLL_CTL_ADD, sysfd, &unix.EpollEvent{Pad: -1})
	if err == nil {
		err = unix.EpollCtl(r.epfd, unix.EPOLL_CTL_DEL, sysfd, nil)
	} else if err == unix.EEXIST {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	return false
}

// freshPair is tcpPair for an a that has never waited.
func freshPair(t testing.TB, r *Reactor) (a *FD, b int) {
	t.Helper()
	as, b := tcpSockets(t)
	a, err := r.NewFD(as, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return a, b
}

// tcpSockets returns a connected non-blocking socket, which is the caller's, and
// its blocking peer, which is closed with the test.
func tcpSockets(t testing.TB) (a, b int) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l := listenSocket(t)
	defer func() { must(unix.Close(l)) }()
	sa, err := unix.Getsockname(l)
	must(err)
	b, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	var once sync.Once
	closePeer := func() { once.Do(func() { must(unix.Close(b)) }) }
	t.Cleanup(closePeer)
	must(unix.Connect(b, sa))
	for {
		a, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if err != unix.EAGAIN {
			break
		}
		time.Sleep(time.Millisecond) // the listener is non-blocking; the connection is there at once
	}
	must(err)
	// A peer that hangs would hang the test; it gets an error instead.
	must(unix.SetsockoptTimeval(b, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20}))
	must(unix.SetsockoptTimeval(b, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 20}))
	return a, b
}

// peerRead is read(2), and peerWrite writes all of p, on a blocking socket. Since
// that has a timeout, a signal of the Go runtime ends them early, see signal(7).

func peerRead(fd int, p []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, p); err != unix.EINTR {
			return n, err
		}
	}
}

func peerWrite(fd int, p []byte) (n int, err error) {
	for n < len(p) {
		k, err := unix.Write(fd, p[n:])
		if err != nil && err != unix.EINTR {
			return n, err
		}
		n += max(k, 0)
	}
	return n, nil
}

// listenSocket returns a non-blocking socket that listens on loopback.
func listenSocket(t testing.TB) int {
	t.Helper()
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 128)); err != nil {
		t.Fatal(err)
	}
	return l
}

// faultEngine stands in front of an engine and interferes with single ops.
type faultEngine struct {
	engine
	mu sync.Mutex
	// fault looks at an op before the engine gets it. A non-zero errno is the op's
	// result; otherwise limit > 0 is the most that may be transferred.
	fault func(o *op) (errno syscall.Errno, limit int)
	// fail, if set, is the error of the next submission, before any op is run.
	fail error
}

func (e *faultEngine) submit(batch []*op) error {
	e.mu.Lock()
	fault, fail := e.fault, e.fail
	e.fail = nil
	e.mu.Unlock()
	if fail != nil {
		return fail
	}
	for _, o := range batch {
		if fault != nil && !o.done {
			errno, limit := fault(o)
			if errno != 0 {
				o.finish(-int32(errno))
				continue
			}
			if limit > 0 && limit < len(o.buf) {
				whole := o.buf
				o.buf = o.buf[:limit]
				err := e.engine.submit([]*op{o})
				o.buf = whole
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := e.engine.submit([]*op{o}); err != nil {
			return err
		}
	}
	return nil
}

// inject puts a faultEngine in front of r's engine.
func inject(r *Reactor, fault func(o *op) (syscall.Errno, int)) *faultEngine {
	r.ringMu.Lock()
	defer r.ringMu.Unlock()
	e := &faultEngine{engine: r.eng, fault: fault}
	r.eng = e
	return e
}

// within runs f and fails the test if it takes longer than anything here should.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		t.Fatalf("%s: still not done", what)
	}
}

// isTimeout says whether err is what an expired deadline gives.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
