package netring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Bad addresses and networks get the very error that package net gives.
func TestListenErrors(t *testing.T) {
	engines(t) // skips where netring is package net
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	for _, tc := range []struct{ network, address string }{
		{"tcp", "127.0.0.1"},
		{"tcp", "127.0.0.1:99999"},
		{"tcp", "127.0.0.1:no-such-service"},
		{"tcp", busy.Addr().String()},
		{"tcp", "192.0.2.1:0"}, // not one of ours
		{"tcp4", "[::1]:0"},
		{"tcp6", "127.0.0.1:0"},
		{"tpc", "127.0.0.1:0"},
		{"", "127.0.0.1:0"},
		{"unix", "/no/such/directory/socket"},
	} {
		t.Run(tc.network+" "+tc.address, func(t *testing.T) {
			_, want := net.Listen(tc.network, tc.address)
			if want == nil {
				t.Fatal("package net listens there")
			}
			rings(t, func(t *testing.T, s *stack) {
				_, err := s.tryListen(tc.network, tc.address)
				if err == nil || err.Error() != want.Error() {
					t.Fatalf("got %v, want %v", err, want)
				}
				var got, exp *net.OpError
				if !errors.As(err, &got) || !errors.As(want, &exp) || got.Op != exp.Op || got.Net != exp.Net ||
					!sameAddr(got.Addr, exp.Addr) || reflect.TypeOf(got.Err) != reflect.TypeOf(exp.Err) {
					t.Errorf("got %#v, want %#v", got, exp)
				}
			})
		})
	}
	for _, network := range []string{"udp", "unixgram", "unixpacket", "ip"} {
		_, err := Listen(network, "127.0.0.1:0")
		var unknown net.UnknownNetworkError
		if !errors.As(err, &unknown) || !strings.Contains(err.Error(), network) {
			t.Errorf("%s: %v, want a net.UnknownNetworkError", network, err)
		}
	}
}

func TestListenWithBadPoller(t *testing.T) {
	listen := func(p *Poller) error {
		lc := ListenConfig{Poller: p}
		_, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
		return err
	}
	var oe *net.OpError
	if err := listen(&Poller{}); !errors.As(err, &oe) || oe.Op != "listen" || !strings.Contains(err.Error(), "NewPoller") {
		t.Errorf("a Poller that NewPoller did not make: %v", err)
	}
	p, err := NewPoller(Config{})
	must(t, err)
	must(t, p.Close())
	if err := listen(p); !errors.Is(err, net.ErrClosed) || !errors.As(err, &oe) || oe.Op != "listen" {
		t.Errorf("a closed Poller: %v", err)
	}
	var l *Listener
	if _, err := l.Accept(); err != syscall.EINVAL {
		t.Errorf("Accept of a nil Listener: %v", err)
	}
	if err := l.Close(); err != syscall.EINVAL {
		t.Errorf("Close of a nil Listener: %v", err)
	}
	if err := l.SetDeadline(time.Time{}); err != syscall.EINVAL {
		t.Errorf("SetDeadline of a nil Listener: %v", err)
	}
}

// The address is free when Close returns.
func TestListenAgain(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		addr := ln.Addr().String()
		for range 20 {
			must(t, ln.Close())
			var err error
			ln, err = s.tryListen("tcp", addr)
			must(t, err)
		}
		must(t, ln.Close())
	})
}

func TestRow02ListenerClose(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		for range 20 {
			ln := s.listen(t)
			accepted := make(chan error, 2)
			for range 2 {
				go func() {
					_, err := ln.Accept()
					accepted <- err
				}()
			}
			runtime.Gosched()
			must(t, ln.Close())
			within(t, "waking", func() {
				for range 2 {
					checkOpError(t, <-accepted, "accept", nil, ln.Addr(), net.ErrClosed, 0)
				}
			})
			_, err := ln.Accept()
			checkOpError(t, err, "accept", nil, ln.Addr(), net.ErrClosed, 0)
			checkOpError(t, ln.Close(), "close", nil, ln.Addr(), net.ErrClosed, 0)
			if err := ln.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now()); err != net.ErrClosed {
				t.Errorf("SetDeadline after Close: %#v, want net.ErrClosed itself", err)
			}
		}
	})
}

func TestRow12Deadline(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		dl := ln.(interface{ SetDeadline(time.Time) error })
		must(t, dl.SetDeadline(time.Now().Add(10*time.Millisecond)))
		within(t, "Accept", func() {
			_, err := ln.Accept()
			checkOpError(t, err, "accept", nil, ln.Addr(), os.ErrDeadlineExceeded, 0)
		})
		must(t, dl.SetDeadline(time.Time{}))
		client, err := net.Dial("tcp", ln.Addr().String())
		must(t, err)
		defer client.Close()
		c, err := ln.Accept()
		must(t, err)
		must(t, c.Close())
	})
}

// Connections that were accepted before Close reach Accept.
func TestRow04AcceptedBeforeClose(t *testing.T) {
	test := func(t *testing.T, s *stack) {
		ln := s.listen(t)
		const conns = 40
		var clients []net.Conn
		for range conns {
			c, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer c.Close()
			clients = append(clients, c)
		}
		served := 0
		serve := func() error {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			served++
			_, err = c.Write([]byte("welcome"))
			return errors.Join(err, c.Close())
		}
		for range 20 { // by now, batches are large
			must(t, serve())
		}
		must(t, ln.Close())
		var err error
		for err == nil {
			err = serve()
		}
		checkOpError(t, err, "accept", nil, ln.Addr(), net.ErrClosed, 0)
		got := 0
		for _, c := range clients {
			if n, err := c.Read(make([]byte, 10)); n == 7 && err == nil {
				got++
			}
		}
		if got != served || served <= 20 {
			t.Errorf("%d connections were served, %d of them after Close; %d clients know of it", served, served-20, got)
		}
	}
	rings(t, test)
	// The default Poller has no other connection left when the listener is closed.
	t.Run("default Poller", func(t *testing.T) {
		test(t, &stack{name: "default", poller: new(Poller), isDefault: true})
		awaitNoDefaultPoller(t)
	})
}

// Control sees the socket before it is bound, and its errors
// come back.
func TestRow13ListenControl(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		var called string
		lc := ListenConfig{Poller: s.poller, Control: func(network, address string, c syscall.RawConn) error {
			called = network + " " + address
			var err error
			return errors.Join(c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 8192)
			}), err)
		}}
		ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
		must(t, err)
		must(t, ln.Close())
		if called != "tcp4 127.0.0.1:0" {
			t.Errorf("Control was called with %q", called)
		}
		boom := errors.New("boom")
		lc.Control = func(string, string, syscall.RawConn) error { return boom }
		if _, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0"); !errors.Is(err, boom) {
			t.Errorf("Control's error came back as %v", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		lc.Control = nil
		// Whether the resolver looks at the context before it has the answer is a race
		// in package net.
		if ln, err := lc.Listen(ctx, "tcp", "localhost:0"); err == nil {
			must(t, ln.Close())
		} else if want := "listen tcp: lookup localhost: operation was canceled"; err.Error() != want {
			t.Errorf("a cancelled context: %v, want %v", err, want)
		}
	})
}

// Keep-alive settings of ListenConfig, and Multipath TCP.
func TestRow11KeepAlive(t *testing.T) {
	for _, tc := range []struct {
		name string
		std  net.ListenConfig
	}{
		{"default", net.ListenConfig{}},
		{"period", net.ListenConfig{KeepAlive: 40 * time.Second}},
		{"fraction", net.ListenConfig{KeepAlive: 1500 * time.Millisecond}},
		{"off", net.ListenConfig{KeepAlive: -1}},
		{"config", net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 21 * time.Second, Interval: 7 * time.Second, Count: 3}}},
		{"config, partly", net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: -1, Interval: 0, Count: -1}}},
	} {
		for _, mptcp := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, multipath %v", tc.name, mptcp), func(t *testing.T) {
				tc.std.SetMultipathTCP(mptcp)
				want := acceptedOptions(t, tc.std.Listen)
				rings(t, func(t *testing.T, s *stack) {
					lc := ListenConfig{Poller: s.poller, KeepAlive: tc.std.KeepAlive, KeepAliveConfig: tc.std.KeepAliveConfig}
					lc.SetMultipathTCP(mptcp)
					if lc.MultipathTCP() != mptcp {
						t.Error("SetMultipathTCP did not take")
					}
					if got := acceptedOptions(t, lc.Listen); got != want {
						t.Errorf("options are %v, package net's %v", got, want)
					}
				})
			})
		}
	}
}

// acceptedOptions returns the options of the second connection that a listener
// accepts.
func acceptedOptions(t *testing.T, listen func(context.Context, string, string) (net.Listener, error)) (opts [6]int) {
	t.Helper()
	ln, err := listen(context.Background(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	for range 2 {
		client, err := net.Dial("tcp", ln.Addr().String())
		must(t, err)
		defer client.Close()
		c, err := ln.Accept()
		must(t, err)
		defer c.Close()
		read := func(sysfd int) error {
			for i, o := range [][2]int{
				{unix.SOL_SOCKET, unix.SO_PROTOCOL}, {unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE},
				{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
			} {
				v, err := unix.GetsockoptInt(sysfd, o[0], o[1])
				if err != nil {
					return err
				}
				opts[i] = v
			}
			return nil
		}
		if nc, ok := c.(*Conn); ok {
			must(t, nc.fd.Control(read))
			continue
		}
		rc, err := c.(syscall.Conn).SyscallConn()
		must(t, err)
		must(t, rc.Control(func(fd uintptr) { err = read(int(fd)) }))
		must(t, err)
	}
	return opts
}

func TestRow14UnixListener(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "s"), fmt.Sprintf("@netring-test-%d", os.Getpid())} {
		t.Run(name[:1], func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				ln := s.listenOn(t, "unix", name)
				if want := (&net.UnixAddr{Name: name, Net: "unix"}); !reflect.DeepEqual(ln.Addr(), want) {
					t.Errorf("Addr is %#v", ln.Addr())
				}
				client, err := net.Dial("unix", name)
				must(t, err)
				defer client.Close()
				server, err := ln.Accept()
				must(t, err)
				defer server.Close()
				if a := server.LocalAddr(); !reflect.DeepEqual(a, ln.Addr()) {
					t.Errorf("LocalAddr is %#v", a)
				}
				if a := server.RemoteAddr(); !reflect.DeepEqual(a, &net.UnixAddr{Name: "@", Net: "unix"}) {
					t.Errorf("RemoteAddr is %#v", a)
				}
				// Many small messages, read in one go or not: nothing is left behind.
				var wg sync.WaitGroup
				wg.Go(func() {
					for range 300 {
						if _, err := client.Write([]byte("0123456789")); err != nil {
							t.Error(err)
						}
					}
					client.(*net.UnixConn).CloseWrite()
				})
				total, buf := 0, make([]byte, 700)
				within(t, "reading", func() {
					for {
						n, err := server.Read(buf[:1+total%len(buf)])
						total += n
						if err != nil {
							break
						}
					}
				})
				wg.Wait()
				if total != 3000 {
					t.Errorf("read %d bytes of 3000", total)
				}
				must(t, ln.Close())
				if _, err := os.Lstat(name); name[0] != '@' && !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the socket file is still there: %v", err)
				}
				// A later listener's file is not ours to remove.
				again := s.listenOn(t, "unix", name)
				if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the second Close: %v", err)
				}
				client2, err := net.Dial("unix", name)
				must(t, err)
				must(t, client2.Close())
				must(t, again.Close())
			})
		})
	}
}

// A listener that nobody holds any more is closed.
func TestRow17UnreachableListener(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		var addr string
		func() {
			ln, err := s.tryListen("tcp", "127.0.0.1:0")
			must(t, err)
			addr = ln.Addr().String()
		}()
		within(t, "the garbage collector", func() {
			for {
				runtime.GC()
				c, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				c.Close()
			}
		})
	})
}

// The file of a unix socket goes and stays as with package net, whoever has duplicates
// of the socket: it is how tableflip hands a listener to the next process.
func TestRow14SocketFile(t *testing.T) {
	type unlinker interface {
		SetUnlinkOnClose(bool)
		File() (*os.File, error)
	}
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, l unlinker)
		stays   bool
	}{
		"plain": {func(*testing.T, unlinker) {}, false},
		"kept":  {func(_ *testing.T, l unlinker) { l.SetUnlinkOnClose(false) }, true},
		"kept, then not": {func(_ *testing.T, l unlinker) {
			l.SetUnlinkOnClose(false)
			l.SetUnlinkOnClose(true)
		}, false},
		"duplicated": {func(t *testing.T, l unlinker) { duplicateFor(t, l.File) }, false},
		"kept and duplicated": {func(t *testing.T, l unlinker) {
			l.SetUnlinkOnClose(false)
			duplicateFor(t, l.File)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				path := filepath.Join(t.TempDir(), "s")
				ln := s.listenOn(t, "unix", path)
				tc.prepare(t, ln.(unlinker))
				must(t, ln.Close())
				_, err := os.Stat(path)
				if stays := err == nil; stays != tc.stays {
					t.Errorf("the file is there: %v, want %v", stays, tc.stays)
				}
				again, err := s.tryListen("unix", path)
				if inUse := errors.Is(err, syscall.EADDRINUSE); inUse != tc.stays {
					t.Errorf("listening there again: %v", err)
				}
				if err == nil {
					must(t, again.Close())
				}
			})
		})
	}
}

// duplicateFor has a duplicate for the length of the test.
func duplicateFor(t *testing.T, file func() (*os.File, error)) {
	t.Helper()
	f, err := file()
	must(t, err)
	t.Cleanup(func() { f.Close() })
}
