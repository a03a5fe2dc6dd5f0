package reactor

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// engines runs f once for each engine.
func engines(t *testing.T, f func(t *testing.T, kind engine.Kind)) {
	for _, kind := range []engine.Kind{engine.URing, engine.Syscall} {
		t.Run(kind.String(), func(t *testing.T) {
			requireEngine(t, kind)
			f(t, kind)
		})
	}
}

// requireEngine skips the test where the kernel or the sandbox refuses io_uring,
// and only there.
func requireEngine(t testing.TB, kind engine.Kind) {
	if kind != engine.URing {
		return
	}
	_, err := engine.Probe()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("io_uring is refused here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// testConfig is a reactor's configuration for tests: few buffers, so that they
// run out, and calls in batches, where faults are injected.
func testConfig(kind engine.Kind) Config {
	return Config{Engine: kind, Buffers: 8, BufferSize: 4096, BatchAll: true}
}

// newReactor returns a reactor that is closed, and checked, at the end of the
// test.
func newReactor(t testing.TB, kind engine.Kind) *Reactor {
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
	a, b = unregisteredPair(t, r)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.register(fdEvents); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// watchedByEpoll reports whether sysfd is in r's epoll set, which refuses it then.
func watchedByEpoll(t testing.TB, r *Reactor, sysfd int) bool {
	t.Helper()
	// No slot has this generation.
	err := unix.EpollCtl(r.poll.epfd, unix.EPOLL_CTL_ADD, sysfd, &unix.EpollEvent{Pad: -1})
	if err == nil {
		err = unix.EpollCtl(r.poll.epfd, unix.EPOLL_CTL_DEL, sysfd, nil)
	} else if err == unix.EEXIST {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	return false
}

// unregisteredPair is tcpPair for an a that has never waited.
func unregisteredPair(t testing.TB, r *Reactor) (a *FD, b int) {
	t.Helper()
	as, b := sockettest.Pair(t)
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

// faultEngine stands in front of an engine and interferes with single ops.
type faultEngine struct {
	engine.Engine
	mu sync.Mutex
	// fault looks at an op before the engine gets it. A non-zero errno is the op's
	// result; otherwise limit > 0 is the most that may be transferred.
	fault func(o *engine.Op) (errno syscall.Errno, limit int)
	// fail, if set, is the error of the next submission, before any op is run.
	fail error
}

func (e *faultEngine) Submit(batch []*engine.Op) error {
	e.mu.Lock()
	fault, fail := e.fault, e.fail
	e.fail = nil
	e.mu.Unlock()
	if fail != nil {
		return fail
	}
	for _, o := range batch {
		if fault != nil && !o.Done {
			errno, limit := fault(o)
			if errno != 0 {
				o.Finish(-int32(errno))
				continue
			}
			if limit > 0 && limit < len(o.Buf) {
				whole := o.Buf
				o.Buf = o.Buf[:limit]
				err := e.Engine.Submit([]*engine.Op{o})
				o.Buf = whole
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := e.Engine.Submit([]*engine.Op{o}); err != nil {
			return err
		}
	}
	return nil
}

// inject puts a faultEngine in front of r's engine.
func inject(r *Reactor, fault func(o *engine.Op) (syscall.Errno, int)) *faultEngine {
	r.submitter.mu.Lock()
	defer r.submitter.mu.Unlock()
	e := &faultEngine{Engine: r.submitter.eng, fault: fault}
	r.submitter.eng = e
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
