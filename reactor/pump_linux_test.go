package reactor

import (
	"bytes"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// pumpCase is something that happens during the third message of a pump.
type pumpCase struct {
	name string
	at   engine.OpKind // right before such an op is run
	do   func(t testing.TB, src, dst *FD) (syscall.Errno, int)
	err  error // of the pump; nil: it goes on
	read bool
	last bool // the message arrives, although the pump ends
}

var pumpCases = []pumpCase{
	{name: "a part is sent", at: engine.Send, do: func(_ testing.TB, _, _ *FD) (syscall.Errno, int) { return 0, 3 }},
	{name: "EINTR of a send", at: engine.Send, do: pumpErrno(unix.EINTR)},
	{name: "EAGAIN of a send", at: engine.Send, do: pumpErrno(unix.EAGAIN)},
	{name: "EPIPE of a send", at: engine.Send, do: pumpErrno(unix.EPIPE), err: unix.EPIPE},
	{name: "source closed during a send", at: engine.Send, err: ErrClosed, read: true, last: true,
		do: pumpDo(func(src, _ *FD) error { return src.Close() })},
	{name: "source's deadline during a send", at: engine.Send, err: os.ErrDeadlineExceeded, read: true, last: true,
		do: pumpDo(func(src, _ *FD) error { return src.SetDeadline(time.Now(), true, false) })},
	{name: "source's next bytes during a send", at: engine.Send,
		do: pumpDo(func(src, _ *FD) error { src.mu.Lock(); defer src.mu.Unlock(); src.rd.ready = true; return nil })},
	{name: "no shared buffers from now on", at: engine.Send,
		do: pumpDo(func(src, _ *FD) error { return src.ControlWhole(func(int) error { return nil }) })},
	{name: "reactor closed during a send", at: engine.Send, err: ErrClosed, read: true, last: true, do: closeReactorAside},
	{name: "EINTR of a recv", at: engine.Recv, do: pumpErrno(unix.EINTR)},
	{name: "ENOBUFS of a recv", at: engine.Recv, do: pumpErrno(unix.ENOBUFS)},
	{name: "ECONNRESET of a recv", at: engine.Recv, do: pumpErrno(unix.ECONNRESET), err: unix.ECONNRESET, read: true},
	{name: "source closed during a recv", at: engine.Recv, err: ErrClosed, read: true, last: true, do: closeAside},
	{name: "destination closed during a recv", at: engine.Recv, err: ErrClosed,
		do: pumpDo(func(_, dst *FD) error { return dst.Close() })},
	{name: "destination's deadline during a recv", at: engine.Recv, err: os.ErrDeadlineExceeded,
		do: pumpDo(func(_, dst *FD) error { return dst.SetDeadline(time.Now(), false, true) })},
}

// pumpErrno has the op fail.
func pumpErrno(e syscall.Errno) func(testing.TB, *FD, *FD) (syscall.Errno, int) {
	return func(_ testing.TB, _, _ *FD) (syscall.Errno, int) { return e, 0 }
}

// pumpDo does f before the op.
func pumpDo(f func(src, dst *FD) error) func(testing.TB, *FD, *FD) (syscall.Errno, int) {
	return func(t testing.TB, src, dst *FD) (syscall.Errno, int) {
		if err := f(src, dst); err != nil {
			t.Error(err)
		}
		return 0, 0
	}
}

// closeAside begins a Close that has to wait for the op.
func closeAside(_ testing.TB, src, _ *FD) (syscall.Errno, int) {
	go src.Close()
	awaitClosing(src)
	return 0, 0
}

// closeReactorAside begins to close the reactor, which waits for the op.
func closeReactorAside(t testing.TB, src, dst *FD) (syscall.Errno, int) {
	closed := make(chan error, 1)
	go func() { closed <- src.r.Close() }()
	t.Cleanup(func() {
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
	awaitClosing(src)
	awaitClosing(dst)
	return 0, 0
}

func awaitClosing(fd *FD) {
	for closing := false; !closing; runtime.Gosched() {
		fd.mu.Lock()
		closing = fd.closing
		fd.mu.Unlock()
	}
}

// A pump takes every answer that the kernel may give to its ops, and everything that others
// may do between them.
func TestPumpAnswers(t *testing.T) {
	for _, c := range pumpCases {
		t.Run(c.name, func(t *testing.T) { engines(t, c.run) })
	}
}

func (c pumpCase) run(t *testing.T, kind engine.Kind) {
	r := newReactor(t, kind)
	src, in := tcpPair(t, r)
	dst, out := tcpPair(t, r)
	var due, done atomic.Bool
	inject(r, func(o *engine.Op) (syscall.Errno, int) {
		if o.Kind == c.at && (o.FD == src.sysfd || o.FD == dst.sysfd) && due.CompareAndSwap(true, false) {
			done.Store(true)
			return c.do(t, src, dst)
		}
		return 0, 0
	})
	type result struct {
		moved int64
		read  bool
		err   error
	}
	ended := make(chan result, 1)
	go func() {
		moved, read, err := src.Pump(dst)
		ended <- result{moved, read, err}
	}()
	moved := int64(0)
	for i := range 6 {
		due.Store(i == 2)
		if arrives := c.err == nil || i < 2 || c.last && i == 2; !pass(t, in, out, byte('a'+i), arrives) {
			break
		}
		moved += pumpedMessage
	}
	if c.err == nil {
		if err := unix.Shutdown(in, unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
	}
	var res result
	within(t, "the pump", func() { res = <-ended })
	if want := (result{moved, c.read || c.err == nil, c.err}); res != want {
		t.Errorf("%+v, want %+v", res, want)
	}
	if !done.Load() {
		t.Error("no op was interfered with")
	}
}

// pumpedMessage is the length of a message.
const pumpedMessage = 10

// pass sends a message to in and, if it is to arrive, checks that it does. It returns
// arrives.
func pass(t *testing.T, in, out int, letter byte, arrives bool) bool {
	t.Helper()
	msg := bytes.Repeat([]byte{letter}, pumpedMessage)
	if _, err := sockettest.Write(in, msg); err != nil && arrives {
		t.Fatal(err)
	}
	if !arrives {
		return false
	}
	if got := readFull(t, out, len(msg)); !bytes.Equal(got, msg) {
		t.Errorf("%q arrived, not %q", got, msg)
	}
	return true
}

// readFull reads n bytes from the blocking socket fd.
func readFull(t testing.TB, fd, n int) []byte {
	t.Helper()
	p := make([]byte, n)
	for got := 0; got < n; {
		var k int
		var err error
		within(t, "a message", func() { k, err = sockettest.Read(fd, p[got:]) })
		if err != nil || k == 0 {
			t.Fatalf("%d bytes of %d: %v", got, n, err)
		}
		got += k
	}
	return p
}
