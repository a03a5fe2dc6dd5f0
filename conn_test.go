package netring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

// These tests check, on every system, what Conn, Listener and Poller are outside Linux.

// portable is the portable implementation under test: one Poller.
type portable struct{ *portablePoller }

// newPortable returns a portable Poller that is closed and checked when the test ends.
// The environment does not choose its engine.
func newPortable(t testing.TB, cfg Config) portable {
	t.Helper()
	setEngine(t, "")
	p := portable{new(portablePoller)}
	must(t, p.init(cfg))
	t.Cleanup(func() {
		if err := p.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Poller.Close: %v", err)
		}
		if n := p.Stats().Descriptors; n != 0 {
			t.Errorf("after Close: %d descriptors", n)
		}
	})
	return p
}

func (p portable) tryListen(network, address string) (*portableListener, error) {
	l := new(portableListener)
	own, err := l.listen(context.Background(), &ListenConfig{}, p.portablePoller, network, address)
	if own != nil {
		own.Close()
		return nil, fmt.Errorf("it is a %T of package net's", own)
	}
	return l, err
}

func (p portable) listen(t testing.TB, network string) *portableListener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = socketName(t)
	}
	l, err := p.tryListen(network, address)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// socketName returns the name of a socket file. t.TempDir's names are too long.
func socketName(t testing.TB) string {
	dir, err := os.MkdirTemp("", "nr")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// pair returns the two ends of a connection: one accepted, one dialled.
func (p portable) pair(t testing.TB, network string) (server, client *portableConn) {
	t.Helper()
	l := p.listen(t, network)
	server, client = new(portableConn), new(portableConn)
	own, err := client.dial(context.Background(), &Dialer{}, p.portablePoller, network, l.Addr().String())
	must(t, err)
	if own != nil {
		t.Fatalf("it is a %T of package net's", own)
	}
	must(t, l.accept(server))
	must(t, l.Close())
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}

// portables runs f on TCP and on unix connections.
func portables(t *testing.T, f func(t *testing.T, p portable, network string)) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) { f(t, newPortable(t, Config{}), network) })
	}
}

func TestPortableNettest(t *testing.T) {
	portables(t, func(t *testing.T, p portable, network string) {
		nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
			server, client := p.pair(t, network)
			return server, client, func() { server.Close(); client.Close() }, nil
		})
	})
}

// The portable Conn returns the errors of the connection that it wraps.
func TestPortableErrors(t *testing.T) {
	// The zero Poller has Stats, and their fields are zero.
	if n := new(Poller).Stats().Descriptors + new(portablePoller).Stats().Descriptors; n != 0 {
		t.Errorf("zero Pollers have %d descriptors", n)
	}
	past := time.Unix(1, 0)
	file, err := os.Open("LICENSE")
	must(t, err)
	defer file.Close()
	steps := []struct {
		name string
		f    func(c, peer stream) error
	}{
		{"read past the deadline", func(c, _ stream) error {
			c.SetReadDeadline(past)
			_, err := c.Read(make([]byte, 1))
			return err
		}},
		{"write past the deadline", func(c, _ stream) error {
			c.SetWriteDeadline(past)
			_, err := c.Write([]byte("x"))
			return err
		}},
		{"read the end", func(c, peer stream) error {
			peer.Close()
			_, err := c.Read(make([]byte, 1))
			return err
		}},
		{"read after Close", func(c, _ stream) error {
			c.Close()
			_, err := c.Read(make([]byte, 1))
			return err
		}},
		{"write after Close", func(c, _ stream) error {
			c.Close()
			_, err := c.Write([]byte("x"))
			return err
		}},
		{"Close after Close", func(c, _ stream) error {
			c.Close()
			return c.Close()
		}},
		{"deadline after Close", func(c, _ stream) error {
			c.Close()
			return c.SetDeadline(past)
		}},
		{"CloseWrite after Close", func(c, _ stream) error {
			c.Close()
			return c.CloseWrite()
		}},
		{"SetReadBuffer after Close", func(c, _ stream) error {
			c.Close()
			return c.SetReadBuffer(4096)
		}},
		{"File after Close", func(c, _ stream) error {
			c.Close()
			_, err := c.File()
			return err
		}},
		{"copy after Close", func(c, _ stream) error {
			c.Close()
			_, err := io.Copy(c, struct{ io.Reader }{strings.NewReader("x")})
			return err
		}},
		{"copy from its end after Close", func(c, _ stream) error {
			c.Close()
			_, err := io.Copy(c, struct{ io.Reader }{strings.NewReader("")})
			return err
		}},
		{"copy from after Close", func(c, _ stream) error {
			c.Close()
			_, err := io.Copy(struct{ io.Writer }{io.Discard}, c)
			return err
		}},
		{"copy past the write deadline", func(c, _ stream) error {
			c.SetWriteDeadline(past)
			_, err := io.Copy(c, struct{ io.Reader }{strings.NewReader("x")})
			return err
		}},
		{"copy a file past the write deadline", func(c, _ stream) error {
			c.SetWriteDeadline(past)
			_, err := io.Copy(c, struct{ io.Reader }{io.LimitReader(file, 5)})
			return err
		}},
		{"reset", func(c, peer stream) error {
			if peer, ok := peer.(interface{ SetLinger(int) error }); ok {
				peer.SetLinger(0)
			}
			peer.Close()
			for {
				if _, err := c.Write([]byte("x")); err != nil {
					return err
				}
			}
		}},
	}
	portables(t, func(t *testing.T, p portable, network string) {
		for _, step := range steps {
			t.Run(step.name, func(t *testing.T) {
				server, client := p.pair(t, network)
				l := p.listen(t, network)
				peer, err := net.Dial(network, l.Addr().String())
				must(t, err)
				defer peer.Close()
				std, err := l.std.Accept()
				must(t, err)
				defer std.Close()
				want, got := chain(step.f(std.(stream), peer.(stream)), std), chain(step.f(server, client), server)
				if got != want {
					t.Errorf("the error is\n%s, package net's is\n%s", got, want)
				}
			})
		}
	})
}

// chain describes an error: the types of its chain and its text without addresses.
func chain(err error, c net.Conn) string {
	text := fmt.Sprint(err)
	for _, a := range []net.Addr{c.LocalAddr(), c.RemoteAddr()} {
		if a.String() != "" {
			text = strings.ReplaceAll(text, a.String(), "ADDR")
		}
	}
	for ; err != nil; err = errors.Unwrap(err) {
		text += fmt.Sprintf(" <- %T", err)
		if oe, ok := err.(*net.OpError); ok {
			text += fmt.Sprintf("{%s %s %t %t}", oe.Op, oe.Net, oe.Source == nil, oe.Addr == nil)
		}
	}
	return text
}

func TestPortableZero(t *testing.T) {
	var c portableConn
	var l portableListener
	for name, err := range map[string]error{
		"Close": c.Close(), "SetDeadline": c.SetDeadline(time.Time{}), "Flush": c.Flush(), "SetNoDelay": c.SetNoDelay(true),
		"CloseWrite": c.CloseWrite(), "SetCoalescing": c.SetCoalescing(0), "readLease": c.readLease(new(portableLease)),
		"Listener.Close": l.Close(), "Listener.SetDeadline": l.SetDeadline(time.Time{}), "accept": l.accept(&c),
	} {
		if err != syscall.EINVAL {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, readErr := c.Read(nil)
	_, detachErr := c.Detach()
	if readErr != syscall.EINVAL || detachErr != syscall.EINVAL || c.LocalAddr() != nil || c.RemoteAddr() != nil || c.Unread() != 0 {
		t.Errorf("Read: %v, Detach: %v, addresses %v and %v, %d unread", readErr, detachErr, c.LocalAddr(), c.RemoteAddr(), c.Unread())
	}
}

func TestPortableLease(t *testing.T) {
	portables(t, func(t *testing.T, p portable, network string) {
		server, client := p.pair(t, network)
		data := make([]byte, 100_000)
		for i := range data {
			data[i] = byte(i * i >> 3)
		}
		go func() {
			client.Write(data)
			client.CloseWrite()
		}()
		var got []byte
		var leases []portableLease
		for {
			var l portableLease
			err := server.readLease(&l)
			if err == io.EOF {
				break
			}
			must(t, err)
			if n := len(l.Bytes()); n == 0 || n > defaultReadBufferSize {
				t.Errorf("a lease of %d bytes", n)
			}
			got = append(got, l.Bytes()...)
			leases = append(leases, l)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("got %d bytes of %d, or they differ", len(got), len(data))
		}
		must(t, server.Close())
		if err := server.readLease(new(portableLease)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		must(t, p.Close())
		got = got[:0]
		for i := range leases { // they outlive the connection and the Poller
			got = append(got, leases[i].Bytes()...)
		}
		if !bytes.Equal(got, data) {
			t.Error("the leases have changed")
		}
		for i := range leases {
			l := leases[i]
			l.Release()
			if l.Bytes() != nil {
				t.Error("Bytes after Release")
			}
			for what, l := range map[string]*portableLease{"the same lease": &l, "a copy": &leases[i]} {
				if !panics(l.Release) {
					t.Errorf("a second Release of %s went unnoticed", what)
				}
			}
		}
		var zero portableLease
		zero.Release()
		zero.Release()
	})
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// A ReadLease that times out loses no byte: the next ReadLease returns the bytes.
func TestPortableLeaseDeadline(t *testing.T) {
	server, client := newPortable(t, Config{ReadBufferSize: 512}).pair(t, "tcp")
	must(t, server.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	var l portableLease
	if err := server.readLease(&l); !errors.Is(err, os.ErrDeadlineExceeded) || l.Bytes() != nil {
		t.Errorf("%v, %d bytes", err, len(l.Bytes()))
	}
	must(t, server.SetReadDeadline(time.Time{}))
	_, err := client.Write(make([]byte, 600))
	must(t, err)
	for _, want := range []int{512, 88} {
		must(t, server.readLease(&l))
		if len(l.Bytes()) != want {
			t.Errorf("%d bytes, want %d", len(l.Bytes()), want)
		}
		l.Release()
	}
}

func TestPortableWritev(t *testing.T) {
	portables(t, func(t *testing.T, p portable, network string) {
		server, client := p.pair(t, network)
		var bufs [][]byte
		var want []byte
		for i := range 3000 { // more pieces than one system call takes
			piece := bytes.Repeat([]byte{byte(i)}, i%7)
			bufs = append(bufs, piece)
			want = append(want, piece...)
		}
		before := slices.Clone(bufs)
		const writers = 4
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				if n, err := server.Writev(bufs); n != int64(len(want)) || err != nil {
					t.Errorf("Writev: %d, %v", n, err)
				}
			})
		}
		got := make([]byte, writers*len(want))
		if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, bytes.Repeat(want, writers)) {
			t.Errorf("%v, or the writes are mixed up", err)
		}
		wg.Wait()
		if !reflect.DeepEqual(bufs, before) {
			t.Error("Writev changed its argument")
		}
		for _, none := range [][][]byte{nil, {}, {nil, {}}} {
			if n, err := server.Writev(none); n != 0 || err != nil {
				t.Errorf("Writev(%v): %d, %v", none, n, err)
			}
		}
		must(t, server.Close())
		var oe *net.OpError
		if n, err := server.Writev(bufs); n != 0 || !errors.Is(err, net.ErrClosed) || !errors.As(err, &oe) || oe.Op != "writev" {
			t.Errorf("after Close: %d, %v", n, err)
		}
	})
}

// Writes are sent at once, with any size of the write buffer.
func TestPortableCoalescing(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			server, client := newPortable(t, Config{Coalesce: 4096}).pair(t, network)
			got := make([]byte, 5)
			for _, size := range []int{-1, 0, 512, 16 << 20} { // -1: the Poller's size
				if size >= 0 {
					must(t, server.SetCoalescing(size))
				}
				if n, err := server.Write([]byte("hello")); n != 5 || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
				if _, err := io.ReadFull(client, got); string(got) != "hello" || err != nil { // without Flush
					t.Errorf("%q, %v", got, err)
				}
				must(t, server.Flush())
			}
			for _, size := range []int{-1, 511, 16<<20 + 1} {
				err := server.SetCoalescing(size)
				want := fmt.Sprintf("SetCoalescing: the size is %d; use 0 for none, or 512 to 16777216 bytes", size)
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("SetCoalescing(%d): %v", size, err)
				}
			}
			must(t, server.SetWriteDeadline(time.Unix(1, 0)))
			if err := server.Flush(); !errors.Is(err, os.ErrDeadlineExceeded) && runtime.GOOS != "windows" {
				t.Errorf("Flush past the deadline: %v", err)
			}
			must(t, server.Close())
			var oe *net.OpError
			if err := server.Flush(); !errors.Is(err, net.ErrClosed) || !errors.As(err, &oe) || oe.Op != "write" {
				t.Errorf("Flush after Close: %v", err)
			}
			if err := server.SetCoalescing(512); !errors.Is(err, net.ErrClosed) || !errors.As(err, &oe) || oe.Op != "set" {
				t.Errorf("SetCoalescing after Close: %v", err)
			}
		})
	}
}

// A detached connection is closed, and only the connection that Detach returns works.
func TestPortableDetach(t *testing.T) {
	p := newPortable(t, Config{})
	server, client := p.pair(t, "tcp")
	must(t, server.SetDeadline(time.Unix(1, 0))) // Detach must drop the deadline
	tc, err := server.Detach()
	must(t, err)
	_, err = client.Write([]byte("hello"))
	must(t, err)
	if _, err := io.ReadFull(tc, make([]byte, 5)); err != nil {
		t.Errorf("the detached connection: %v", err)
	}
	_, readErr := server.Read(make([]byte, 1))
	_, writeErr := server.Write(nil)
	_, copyErr := server.ReadFrom(strings.NewReader("x"))
	_, againErr := server.Detach()
	for name, err := range map[string]error{
		"Read": readErr, "Write": writeErr, "ReadFrom": copyErr, "Detach": againErr, "Flush": server.Flush(), "Close": server.Close(),
		"SetDeadline": server.SetDeadline(time.Unix(1, 0)), "SetNoDelay": server.SetNoDelay(true), "CloseWrite": server.CloseWrite(),
	} {
		var oe *net.OpError
		if !errors.Is(err, net.ErrClosed) || !errors.As(err, &oe) || oe.Net != "tcp" {
			t.Errorf("%s after Detach: %v", name, err)
		}
	}
	if n := p.Stats().Descriptors; n != 1 {
		t.Errorf("%d descriptors, want the client's", n)
	}
	runtime.GC() // the detached connection outlives the Conn and the Poller
	must(t, p.Close())
	if _, err := tc.Read(make([]byte, 1)); err != io.EOF { // the client's end
		t.Errorf("after Poller.Close: %v", err)
	}
	must(t, tc.Close())
}

// Detach waits for a Read or a Write under way.
func TestPortableDetachWaits(t *testing.T) {
	for _, kind := range []callKind{callRead, callWrite} {
		t.Run(map[callKind]string{callRead: "Read", callWrite: "Write"}[kind], func(t *testing.T) {
			server, client := newPortable(t, Config{}).pair(t, "tcp")
			call := make(chan error, 1)
			go func() {
				var err error
				if kind == callRead {
					_, err = server.Read(make([]byte, 1))
				} else {
					_, err = server.Write(make([]byte, 64<<20)) // more than the socket takes
				}
				call <- err
			}()
			mu := &server.calls[kind]
			detached := make(chan error, 1)
			within(t, "the call and Detach", func() {
				for mu.TryLock() { // until the call is under way
					mu.Unlock()
					runtime.Gosched()
				}
				go func() {
					tc, err := server.Detach()
					if err == nil {
						err = tc.Close()
					}
					detached <- err
				}()
				for mu.TryRLock() { // until Detach waits
					mu.RUnlock()
					runtime.Gosched()
				}
			})
			select {
			case err := <-detached:
				t.Errorf("Detach did not wait: %v", err)
			default:
			}
			if kind == callRead {
				_, err := client.Write([]byte("x"))
				must(t, err)
			} else {
				go io.Copy(io.Discard, client)
			}
			within(t, "the end", func() {
				if err := <-call; err != nil {
					t.Errorf("the call: %v", err)
				}
				if err := <-detached; err != nil {
					t.Errorf("Detach: %v", err)
				}
			})
		})
	}
}

// Detach waits for a Read; Close ends both.
func TestPortableDetachClose(t *testing.T) {
	p := newPortable(t, Config{})
	for range 50 {
		server, client := p.pair(t, "tcp")
		errs := make(chan error, 2)
		go func() {
			_, err := server.Read(make([]byte, 1))
			errs <- err
		}()
		go func() {
			tc, err := server.Detach()
			if err == nil {
				tc.Close()
				err = net.ErrClosed
			}
			errs <- err
		}()
		runtime.Gosched()
		if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
		within(t, "waking", func() {
			for range 2 {
				if err := <-errs; !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			}
		})
		must(t, client.Close())
	}
}

// An echo copies a connection to itself. A Detach during the copy waits for one step,
// not for the whole copy, and blocks nothing forever.
func TestPortableDetachCopy(t *testing.T) {
	for _, limited := range []bool{false, true} {
		t.Run(fmt.Sprintf("limited=%v", limited), func(t *testing.T) {
			server, client := newPortable(t, Config{}).pair(t, "tcp")
			copied := make(chan error, 1)
			go func() {
				var src io.Reader = server
				if limited {
					src = io.LimitReader(server, 1<<40)
				}
				_, err := io.Copy(server, src)
				copied <- err
			}()
			got := make([]byte, 5)
			_, err := client.Write([]byte("hello"))
			must(t, err)
			_, err = io.ReadFull(client, got)
			must(t, err)
			detached := make(chan error, 1)
			go func() {
				tc, err := server.Detach()
				if err == nil {
					err = tc.Close()
				}
				detached <- err
			}()
			within(t, "Detach", func() {
				for {
					// Each message ends a Read, and Detach may lock the connection after a Read.
					if _, err := client.Write([]byte("x")); err != nil {
						break
					}
					if _, err := client.Read(got); err != nil {
						break
					}
				}
				if err := <-copied; !errors.Is(err, net.ErrClosed) {
					t.Errorf("the copy: %v", err)
				}
				if err := <-detached; err != nil {
					t.Errorf("Detach: %v", err)
				}
			})
		})
	}
}

func TestPortableDetachUnix(t *testing.T) {
	server, client := newPortable(t, Config{}).pair(t, "unix")
	if tc, err := server.Detach(); tc != nil || !errors.Is(err, errNotTCP) {
		t.Errorf("%v, %v", tc, err)
	}
	_, err := client.Write([]byte("x"))
	must(t, err)
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestPortableCopy(t *testing.T) {
	want, err := os.ReadFile("LICENSE")
	must(t, err)
	portables(t, func(t *testing.T, p portable, network string) {
		open := func() *os.File {
			f, err := os.Open("LICENSE")
			must(t, err)
			t.Cleanup(func() { f.Close() })
			return f
		}
		from, to := p.pair(t, network)
		for name, src := range map[string]func() io.Reader{
			"file":         func() io.Reader { return open() },
			"limited file": func() io.Reader { return io.LimitReader(open(), 11) },
			"memory":       func() io.Reader { return bytes.NewReader(want) },
			"connection": func() io.Reader {
				go func() {
					to.Write(want)
					to.CloseWrite()
				}()
				return from
			},
		} {
			server, client := p.pair(t, network)
			limit := len(want)
			if name == "limited file" {
				limit = 11
			}
			go func() {
				if n, err := server.ReadFrom(src()); n != int64(limit) || err != nil {
					t.Errorf("%s: ReadFrom: %d, %v", name, n, err)
				}
				server.CloseWrite()
			}()
			var got bytes.Buffer
			if n, err := client.WriteTo(&got); n != int64(limit) || err != nil || !bytes.Equal(got.Bytes(), want[:limit]) {
				t.Errorf("%s: WriteTo: %d, %v, or the bytes differ", name, n, err)
			}
		}
	})
}

func TestPortableOptions(t *testing.T) {
	portables(t, func(t *testing.T, p portable, network string) {
		server, _ := p.pair(t, network)
		must(t, server.SetReadBuffer(8192))
		must(t, server.SetWriteBuffer(8192))
		if used, err := server.MultipathTCP(); err != nil || used && network == "unix" {
			t.Errorf("MultipathTCP: %v, %v", used, err)
		}
		for name, err := range map[string]error{
			"SetNoDelay": server.SetNoDelay(false), "SetKeepAlive": server.SetKeepAlive(false), "SetLinger": server.SetLinger(-1),
			"SetKeepAlivePeriod": server.SetKeepAlivePeriod(time.Minute), "SetKeepAliveConfig": server.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}),
		} {
			if network == "tcp" && err != nil || network == "unix" && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
		}
		rc, err := server.SyscallConn()
		must(t, err)
		called := false
		if err := rc.Control(func(uintptr) { called = true }); err != nil || !called {
			t.Errorf("Control: %v, called %v", err, called)
		}
	})
}

func TestPortableHalfClose(t *testing.T) {
	portables(t, func(t *testing.T, p portable, network string) {
		server, client := p.pair(t, network)
		must(t, server.CloseWrite())
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer of CloseWrite reads %v", err)
		}
		must(t, server.CloseRead())
		if _, err := server.Read(make([]byte, 1)); err != io.EOF && runtime.GOOS != "windows" {
			t.Errorf("after CloseRead: %v", err)
		}
		must(t, server.Close())
		if err := server.CloseRead(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("CloseRead after Close: %v", err)
		}
	})
}

func TestPortableListener(t *testing.T) {
	portables(t, func(t *testing.T, p portable, network string) {
		l := p.listen(t, network)
		must(t, l.SetDeadline(time.Unix(1, 0)))
		if err := l.accept(new(portableConn)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Accept past the deadline: %v", err)
		}
		must(t, l.SetDeadline(time.Time{}))
		rc, err := l.SyscallConn()
		must(t, err)
		must(t, rc.Control(func(uintptr) {}))
		if runtime.GOOS != "windows" {
			f, err := l.File()
			must(t, err)
			must(t, f.Close())
		}
		accepted := make(chan error, 1)
		go func() { accepted <- l.accept(new(portableConn)) }()
		if network == "unix" {
			l.SetUnlinkOnClose(false)
		}
		must(t, l.Close())
		within(t, "waking", func() {
			if err := <-accepted; !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: %v", err)
			}
		})
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the second Close: %v", err)
		}
		if network == "unix" {
			if _, err := os.Lstat(l.Addr().String()); err != nil {
				t.Errorf("the socket file: %v", err)
			}
		}
	})
}

func TestPortablePollerClose(t *testing.T) {
	p := newPortable(t, Config{})
	server, l := new(portableConn), p.listen(t, "tcp")
	peer, err := net.Dial("tcp", l.Addr().String()) // not the Poller's
	must(t, err)
	defer peer.Close()
	must(t, l.accept(server))
	if s := p.Stats(); s.Descriptors != 2 || s.Engine != EngineNet || s.EngineReason != notLinux {
		t.Errorf("%+v", s)
	}
	errs := make(chan error, 2)
	go func() {
		_, err := server.Read(make([]byte, 1))
		errs <- err
	}()
	go func() { errs <- l.accept(new(portableConn)) }()
	must(t, p.Close())
	within(t, "waking", func() {
		for range 2 {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	})
	_, listenErr := p.tryListen("tcp", "127.0.0.1:0")
	_, dialErr := new(portableConn).dial(context.Background(), &Dialer{}, p.portablePoller, "tcp", l.Addr().String())
	for name, err := range map[string]error{
		"Close": p.Close(), "Conn.Close": server.Close(), "Listener.Close": l.Close(), "Listen": listenErr, "Dial": dialErr,
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	var oe *net.OpError
	if !errors.As(listenErr, &oe) || oe.Op != "listen" || !errors.As(dialErr, &oe) || oe.Op != "dial" {
		t.Errorf("not an OpError: %v, %v", listenErr, dialErr)
	}
}

// A Poller that is closed while Accept runs keeps no connection.
func TestPortablePollerCloseRaces(t *testing.T) {
	for range 50 {
		p := newPortable(t, Config{})
		l := p.listen(t, "tcp")
		done := make(chan error, 1)
		go func() {
			for {
				if err := l.accept(new(portableConn)); err != nil {
					done <- err
					return
				}
			}
		}()
		var client portableConn
		_, err := client.dial(context.Background(), &Dialer{}, nil, "tcp", l.Addr().String())
		must(t, err)
		must(t, p.Close())
		within(t, "the end", func() {
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept: %v", err)
			}
			if _, err := client.Read(make([]byte, 1)); err == nil {
				t.Error("the connection lives")
			}
		})
		must(t, client.Close())
	}
}

func TestPortablePollerRefuses(t *testing.T) {
	p := newPortable(t, Config{})
	listen := func(p *portablePoller, lc ListenConfig, network string) error {
		own, err := new(portableListener).listen(context.Background(), &lc, p, network, "127.0.0.1:0")
		if err == nil {
			own.Close()
		}
		return err
	}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{new(portablePoller).init(Config{Engine: EngineURing}), "netring: the engine is uring, which needs Linux; use EngineAuto, or NETRING_ENGINE=auto in the environment"},
		{new(portablePoller).init(Config{Reactors: -1}), "netring: Config.Reactors is -1; use 0 for one per P, or 1 to 1024"},
		{listen(new(portablePoller), ListenConfig{}, "tcp"), errNilPoller.Error()},
		{new(portablePoller).Close(), errNilPoller.Error()},
		{new(Poller).Close(), errNilPoller.Error()},
		{listen(p.portablePoller, ListenConfig{}, "udp"), `netring: network "udp" is not served; use one of ["tcp" "tcp4" "tcp6" "unix" "unixpacket"], or package net`},
		{listen(p.portablePoller, ListenConfig{}, "tpc"), "unknown network tpc"},
		{listen(p.portablePoller, ListenConfig{Coalesce: 3}, "tcp"), "netring: ListenConfig.Coalesce is 3; use 0 for the Poller's size, a negative value for none, or 512 to 16777216 bytes"},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("%v, want %s", tc.err, tc.want)
		}
	}
}

// EngineNet is package net's own types.
func TestPortableEngineNet(t *testing.T) {
	p := newPortable(t, Config{Engine: EngineNet})
	byEnv := func(t *testing.T) *portablePoller {
		setEngine(t, "net")
		return nil
	}
	for name, poller := range map[string]func(t *testing.T) *portablePoller{
		"Config": func(*testing.T) *portablePoller { return p.portablePoller }, "environment": byEnv,
	} {
		t.Run(name, func(t *testing.T) {
			p := poller(t)
			ln, err := new(portableListener).listen(context.Background(), &ListenConfig{}, p, "tcp", "127.0.0.1:0")
			must(t, err)
			if _, ok := ln.(*net.TCPListener); !ok {
				t.Fatalf("Listen returns a %T", ln)
			}
			defer ln.Close()
			c, err := new(portableConn).dial(context.Background(), &Dialer{}, p, "tcp", ln.Addr().String())
			must(t, err)
			if _, ok := c.(*net.TCPConn); !ok {
				t.Fatalf("Dial returns a %T", c)
			}
			must(t, c.Close())
		})
	}
	if s := p.Stats(); s.Engine != EngineNet || s.EngineReason != "" || s.Descriptors != 0 {
		t.Errorf("%+v", s)
	}
}

// An unreachable Conn or Listener is closed.
func TestPortableUnreachable(t *testing.T) {
	p := newPortable(t, Config{})
	peer := func() net.Conn { // only the peer stays reachable
		l := new(portableListener)
		_, err := l.listen(context.Background(), &ListenConfig{}, p.portablePoller, "tcp", "127.0.0.1:0")
		must(t, err)
		peer, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		must(t, l.accept(new(portableConn)))
		if n := p.Stats().Descriptors; n != 2 {
			t.Errorf("%d descriptors, want 2", n)
		}
		return peer
	}()
	defer peer.Close()
	within(t, "the end", func() {
		for p.Stats().Descriptors > 0 {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
		if _, err := peer.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer reads %v", err)
		}
	})
}

func TestPortableAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	server, client := newPortable(t, Config{}).pair(t, "tcp")
	buf, one := make([]byte, 16), []byte("x")
	if n := testing.AllocsPerRun(200, func() {
		if _, err := client.Write(one); err != nil {
			t.Error(err)
		}
		if _, err := server.Read(buf); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a Write and a Read", n)
	}
}

// The portable implementation takes over package net's listeners and connections, and
// refuses others.
func TestPortableTakeover(t *testing.T) {
	p := newPortable(t, Config{})
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = socketName(t)
		}
		std, err := net.Listen(network, address)
		must(t, err)
		l := new(portableListener)
		own, err := l.wrap(&ListenConfig{}, p.portablePoller, std)
		if own != nil || err != nil {
			t.Fatalf("%v, %v", own, err)
		}
		dialled, err := net.Dial(network, std.Addr().String())
		must(t, err)
		client := new(portableConn)
		if own, err := client.wrap(&Dialer{}, p.portablePoller, dialled); own != nil || err != nil {
			t.Fatalf("%v, %v", own, err)
		}
		server := new(portableConn)
		must(t, l.accept(server))
		if n := p.Stats().Descriptors; n != 3 {
			t.Errorf("%d descriptors; want 3", n)
		}
		_, err = io.WriteString(client, "hello")
		must(t, errors.Join(err, client.CloseWrite()))
		if got, err := io.ReadAll(server); err != nil || string(got) != "hello" {
			t.Errorf("%q, %v", got, err)
		}
		must(t, errors.Join(client.Close(), server.Close(), l.Close()))
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	_, err := new(portableConn).wrap(&Dialer{}, p.portablePoller, a)
	var oe *net.OpError
	if !errors.As(err, &oe) || !strings.Contains(err.Error(), "a *net.pipe has no socket of its own") {
		t.Errorf("a pipe: %v", err)
	}
}

// The portable default Poller lasts while something uses it, and counts that.
func TestPortableDefault(t *testing.T) {
	setEngine(t, "")
	var d defaultPortable
	if s := d.stats(); !reflect.DeepEqual(s, Stats{}) {
		t.Errorf("before its first use: %+v", s)
	}
	first, err := d.acquire()
	must(t, err)
	l := new(portableListener)
	_, err = l.listen(context.Background(), &ListenConfig{}, first, "tcp", "127.0.0.1:0")
	must(t, err)
	if s := d.stats(); s.Engine != EngineNet || s.Descriptors != 1 {
		t.Errorf("with a listener: %+v", s)
	}
	if same, err := d.acquire(); same != first || err != nil {
		t.Errorf("it is another one, %v", err)
	}
	must(t, l.Close())
	if s := d.stats(); !reflect.DeepEqual(s, Stats{}) {
		t.Errorf("after its last use: %+v", s)
	}
}
