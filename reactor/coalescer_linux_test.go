package reactor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/sockettest"
	"github.com/netring-go/netring/reactor/engine"
)

// coalescingPair is tcpPair with write buffering and small socket buffers.
func coalescingPair(t *testing.T, r *Reactor, limit int) (fd *FD, peer int) {
	t.Helper()
	fd, peer = tcpPair(t, r)
	if err := errors.Join(
		fd.Control(func(sysfd int) error { return unix.SetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096) }),
		unix.SetsockoptInt(peer, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096),
		fd.SetCoalescing(limit)); err != nil {
		t.Fatal(err)
	}
	return fd, peer
}

// numbered returns n bytes whose order shows.
func numbered(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.Bytes()[:n]
}

// readAll reads from peer to the end of the stream.
func readAll(peer int) ([]byte, error) {
	var all []byte
	p := make([]byte, 4096)
	for {
		n, err := sockettest.Read(peer, p)
		if n <= 0 || err != nil {
			return all, err
		}
		all = append(all, p[:n]...)
	}
}

// Many writes become few sends, and arrive in order.
func TestCoalesce(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		fd, peer := tcpPair(t, r)
		if err := fd.SetCoalescing(16 << 10); err != nil {
			t.Fatal(err)
		}
		var sends atomic.Int32
		inject(r, func(o *engine.Op) (syscall.Errno, int) {
			if o.Kind == engine.Send {
				sends.Add(1)
			}
			return 0, 0
		})
		want := numbered(10000)
		within(t, "writing", func() {
			for i := 0; i < len(want); i += 10 {
				if n, err := fd.Write(want[i : i+10]); n != 10 || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
			}
			if err := fd.Flush(); err != nil {
				t.Error(err)
			}
		})
		got := make([]byte, len(want))
		for n := 0; n < len(got); {
			k, err := sockettest.Read(peer, got[n:])
			if k <= 0 || err != nil {
				t.Fatalf("after %d bytes: %v", n, err)
			}
			n += k
		}
		if !bytes.Equal(got, want) {
			t.Error("other bytes arrived")
		}
		if n := sends.Load(); n == 0 || n > 500 {
			t.Errorf("1000 writes made %d sends", n)
		}
		// A socket that takes less than all of it, and remains writable.
		inject(r, func(o *engine.Op) (syscall.Errno, int) { return 0, 7 })
		within(t, "short sends", func() {
			if _, err := fd.Write(want[:1000]); err != nil {
				t.Error(err)
			}
			if err := fd.Flush(); err != nil {
				t.Error(err)
			}
			if got, err := io.ReadAll(io.LimitReader(peerReader(peer), 1000)); err != nil || !bytes.Equal(got, want[:1000]) {
				t.Errorf("%d bytes arrived, %v", len(got), err)
			}
		})
	})
}

// A full buffer blocks, until the deadline; what was accepted is not lost.
func TestCoalesceFull(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		fd, peer := coalescingPair(t, r, 2000)
		want := numbered(2 << 20)
		full := func() bool { // and not just late, on a slow machine
			fd.mu.Lock()
			defer fd.mu.Unlock()
			return fd.co.state == callWaiting
		}
		sent := 0
		within(t, "filling", func() {
			for {
				if err := fd.SetDeadline(time.Now().Add(50*time.Millisecond), false, true); err != nil {
					t.Fatal(err)
				}
				n, err := fd.Write(want[sent : sent+999])
				sent += n
				if isTimeout(err) && full() {
					break
				}
				if isTimeout(err) {
					continue
				}
				if n != 999 || err != nil {
					t.Errorf("Write: %d, %v", n, err)
					break
				}
			}
			if err := fd.Flush(); !isTimeout(err) {
				t.Errorf("Flush of a full buffer: %v", err)
			}
			if err := fd.Shutdown(unix.SHUT_WR); !isTimeout(err) { // and nothing is shut down, see below
				t.Errorf("Shutdown with a full buffer: %v", err)
			}
		})
		if sent == 0 || sent > len(want)/2 {
			t.Fatalf("%d bytes were accepted", sent)
		}
		if err := fd.SetDeadline(time.Time{}, false, true); err != nil {
			t.Fatal(err)
		}
		// Another Write waits for the peer to read, and so does what is not copied.
		written := make(chan error, 1)
		go func() {
			_, err := fd.Write(want[sent : sent+1500])
			_, err2 := fd.Write(want[sent+1500 : sent+10000])
			_, err3 := fd.Writev([][]byte{want[sent+10000 : sent+10100], want[sent+10100 : sent+10200]})
			written <- errors.Join(err, err2, err3, fd.Shutdown(unix.SHUT_WR))
		}()
		got, err := readAll(peer)
		if err != nil {
			t.Fatal(err)
		}
		within(t, "the last writes", func() {
			if err := <-written; err != nil {
				t.Error(err)
			}
		})
		if !bytes.Equal(got, want[:sent+10200]) {
			t.Errorf("%d bytes arrived, or others than the %d sent", len(got), sent+10200)
		}
	})
}

// A failed send is what the next call returns, Close included.
func TestCoalesceError(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		for _, call := range []string{"Write", "Flush", "Close", "Writev", "SetCoalescing"} {
			r := newReactor(t, kind)
			fd, _ := tcpPair(t, r)
			if err := fd.SetCoalescing(2000); err != nil {
				t.Fatal(err)
			}
			inject(r, func(o *engine.Op) (syscall.Errno, int) {
				if o.Kind == engine.Send {
					return unix.ENETDOWN, 0
				}
				return 0, 0
			})
			if n, err := fd.Write([]byte("x")); n != 1 || err != nil {
				t.Fatalf("the first Write: %d, %v", n, err)
			}
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Microsecond) {
				fd.mu.Lock()
				failed := fd.co.err != nil
				fd.mu.Unlock()
				if failed {
					break
				}
				if time.Now().After(end) {
					t.Fatal("the send was never tried")
				}
			}
			var err error
			switch call {
			case "Write":
				_, err = fd.Write([]byte("y"))
			case "Writev":
				_, err = fd.Writev([][]byte{[]byte("y")})
			case "Flush":
				err = fd.Flush()
			case "SetCoalescing":
				err = fd.SetCoalescing(0)
			case "Close":
				err = fd.Close()
			}
			if err != unix.ENETDOWN {
				t.Errorf("%s: %v, want ENETDOWN", call, err)
			}
			if call != "Close" {
				if err := fd.Close(); err != nil {
					t.Errorf("Close after %s: %v; the error has been told", call, err)
				}
			}
		}
	})
}

// Close sends what is buffered: at once if it can, else in the background.
func TestCoalesceClose(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		want := numbered(30000)
		t.Run("at once", func(t *testing.T) {
			r := newReactor(t, kind)
			fd, peer := tcpPair(t, r)
			if err := fd.SetCoalescing(64 << 10); err != nil {
				t.Fatal(err)
			}
			freed := false
			within(t, "Close", func() {
				if _, err := fd.Write(want); err != nil {
					t.Error(err)
				}
				if err := fd.CloseThen(func() error { freed = true; return nil }); err != nil {
					t.Error(err)
				}
			})
			if !freed {
				t.Error("the descriptor is not free after Close")
			}
			if got, err := readAll(peer); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes arrived, %v", len(got), err)
			}
		})
		full := func(t *testing.T) (r *Reactor, fd *FD, peer int, all []byte) {
			r = newReactor(t, kind)
			fd, peer = coalescingPair(t, r, 64<<10)
			if err := fd.SetDeadline(time.Now().Add(20*time.Millisecond), false, true); err != nil {
				t.Fatal(err)
			}
			within(t, "filling", func() {
				for {
					n, err := fd.Write(want)
					all = append(all, want[:n]...)
					if err != nil {
						break
					}
				}
			})
			if err := fd.SetDeadline(time.Time{}, false, true); err != nil {
				t.Fatal(err)
			}
			return r, fd, peer, all
		}
		closeIt := func(t *testing.T, fd *FD) (freed chan struct{}) {
			freed = make(chan struct{})
			within(t, "Close", func() {
				begin := time.Now()
				if err := fd.CloseThen(func() error { close(freed); return nil }); err != nil {
					t.Error(err)
				}
				if d := time.Since(begin); d > closeLinger/2 {
					t.Errorf("Close took %v", d)
				}
				if err := fd.Close(); err != ErrClosed {
					t.Errorf("the second Close: %v", err)
				}
				if _, err := fd.Write([]byte("x")); err != ErrClosed {
					t.Errorf("Write after Close: %v", err)
				}
				if err := fd.Flush(); err != ErrClosed {
					t.Errorf("Flush after Close: %v", err)
				}
			})
			return freed
		}
		t.Run("background", func(t *testing.T) {
			_, fd, peer, all := full(t)
			freed := closeIt(t, fd)
			select {
			case <-freed:
				t.Error("closed with bytes unsent")
			default:
			}
			if got, err := readAll(peer); err != nil || !bytes.Equal(got, all) {
				t.Errorf("%d bytes arrived of %d, %v", len(got), len(all), err)
			}
			within(t, "the descriptor", func() { <-freed })
		})
		t.Run("write deadline", func(t *testing.T) {
			_, fd, _, _ := full(t)
			if err := fd.SetDeadline(time.Now().Add(10*time.Millisecond), false, true); err != nil {
				t.Fatal(err)
			}
			freed := closeIt(t, fd)
			begin := time.Now()
			within(t, "the descriptor", func() { <-freed })
			if d := time.Since(begin); d > closeLinger/2 {
				t.Errorf("it lingered for %v", d)
			}
		})
		t.Run("reactor closes", func(t *testing.T) {
			r, fd, _, _ := full(t)
			freed := closeIt(t, fd)
			begin := time.Now()
			within(t, "Reactor.Close", func() {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				<-freed
			})
			if d := time.Since(begin); d > closeLinger/2 {
				t.Errorf("it took %v", d)
			}
		})
		t.Run("given up in a batch", func(t *testing.T) {
			// The lingering ends while the send is in a batch, which then finds the socket
			// full.
			r := newReactor(t, kind)
			fd, _ := tcpPair(t, r)
			if err := fd.SetCoalescing(64 << 10); err != nil {
				t.Fatal(err)
			}
			inBatch, goOn := make(chan struct{}), make(chan struct{})
			var once sync.Once
			inject(r, func(o *engine.Op) (syscall.Errno, int) {
				if o == &fd.co.op.Op {
					once.Do(func() { close(inBatch) })
					<-goOn
					return unix.EAGAIN, 0
				}
				return 0, 0
			})
			if _, err := fd.Write(want); err != nil {
				t.Fatal(err)
			}
			<-inBatch
			freed := make(chan struct{})
			closed := make(chan error, 1)
			go func() { closed <- fd.CloseThen(func() error { close(freed); return nil }) }()
			for fd.Control(func(int) error { return nil }) == nil {
				runtime.Gosched() // until Close has marked it
			}
			fd.abandon()
			begin := time.Now()
			close(goOn)
			within(t, "Close", func() {
				if err := <-closed; err != nil {
					t.Errorf("Close: %v", err)
				}
				<-freed
			})
			if d := time.Since(begin); d > closeLinger/2 {
				t.Errorf("it lingered for %v", d)
			}
		})
		t.Run("blocked", func(t *testing.T) {
			_, fd, _, _ := full(t)
			result := make(chan error, 1)
			go func() {
				_, err := fd.Write(want)
				result <- err
			}()
			awaitAsleep(t, fd, &fd.wr)
			closeIt(t, fd)
			within(t, "the blocked Write", func() {
				if err := <-result; err != ErrClosed {
					t.Errorf("a Write under way: %v", err)
				}
			})
			fd.abandon()
		})
	})
}

// What goes around the buffer waits until that is sent.
func TestCoalesceOrder(t *testing.T) {
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		fd, peer := tcpPair(t, r)
		if err := fd.SetCoalescing(2000); err != nil {
			t.Fatal(err)
		}
		within(t, "writing", func() {
			if _, err := fd.Write([]byte("buffered ")); err != nil {
				t.Error(err)
			}
			if err := fd.RawWrite(func(sysfd int) bool {
				_, err := unix.Write(sysfd, []byte("raw "))
				return err != unix.EAGAIN
			}); err != nil {
				t.Error(err)
			}
			if _, err := fd.Write([]byte("again ")); err != nil {
				t.Error(err)
			}
			if err := fd.SetCoalescing(0); err != nil {
				t.Error(err)
			}
			if _, err := fd.Write([]byte("direct")); err != nil {
				t.Error(err)
			}
			if err := fd.Shutdown(unix.SHUT_WR); err != nil {
				t.Error(err)
			}
		})
		if got, err := readAll(peer); err != nil || string(got) != "buffered raw again direct" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestCoalesceNoAllocations(t *testing.T) {
	if raceBuild {
		t.Skip("the race detector allocates")
	}
	engines(t, func(t *testing.T, kind engine.Kind) {
		r := newReactor(t, kind)
		fd, peer := tcpPair(t, r)
		if err := fd.SetCoalescing(16 << 10); err != nil {
			t.Fatal(err)
		}
		// The reader must be gone before its descriptor is closed, and another test gets
		// the number: it would take that test's bytes.
		var reader sync.WaitGroup
		reader.Go(func() {
			if _, err := io.Copy(io.Discard, peerReader(peer)); err != nil {
				t.Error(err)
			}
		})
		defer reader.Wait()
		defer func() {
			if err := fd.Close(); err != nil {
				t.Error(err)
			}
		}()
		msg := make([]byte, 100)
		write := func() {
			if _, err := fd.Write(msg); err != nil {
				t.Error(err)
			}
			if err := fd.Flush(); err != nil {
				t.Error(err)
			}
		}
		for range 100 {
			write() // the buffers grow to their size
		}
		if n := testing.AllocsPerRun(200, write); n != 0 {
			t.Errorf("Write and Flush allocate %v times", n)
		}
	})
}

type peerReader int

func (p peerReader) Read(b []byte) (int, error) {
	n, err := sockettest.Read(int(p), b)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}
