package netring

import (
	"context"
	"errors"
	"net"
	"os"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// For bad addresses and networks, Listen returns package net's errors.
func TestListenErrors(t *testing.T) {
	engines(t) // skips the test with NETRING_ENGINE=net
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer busy.Close()
	for _, tc := range []struct{ network, address string }{
		{"tcp", "127.0.0.1"},
		{"tcp", "127.0.0.1:99999"},
		{"tcp", "127.0.0.1:no-such-service"},
		{"tcp", busy.Addr().String()},
		{"tcp", "192.0.2.1:0"}, // no address of this machine
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
	for _, network := range []string{"udp", "unixgram", "ip"} {
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
		for range 20 { // the listener accepts in batches by now
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
	// The listener is the last user of the default Poller.
	t.Run("default Poller", func(t *testing.T) {
		test(t, &stack{name: "default", poller: new(Poller), isDefault: true})
		awaitNoDefaultPoller(t)
	})
}

// Control gets the socket before bind, and Listen returns Control's error.
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
		// In package net, the resolver's answer races with the end of the context.
		if ln, err := lc.Listen(ctx, "tcp", "localhost:0"); err == nil {
			must(t, ln.Close())
		} else if want := "listen tcp: lookup localhost: operation was canceled"; err.Error() != want {
			t.Errorf("a cancelled context: %v, want %v", err, want)
		}
	})
}
