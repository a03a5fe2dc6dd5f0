package netring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The setters set the same options on both stacks.
func TestRow11Options(t *testing.T) {
	type setters interface {
		SetKeepAlive(bool) error
		SetKeepAlivePeriod(time.Duration) error
		SetKeepAliveConfig(net.KeepAliveConfig) error
		SetNoDelay(bool) error
		SetLinger(int) error
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
		MultipathTCP() (bool, error)
	}
	steps := []struct {
		name string
		set  func(c setters) error
	}{
		{"nothing", func(setters) error { return nil }},
		{"NoDelay off", func(c setters) error { return c.SetNoDelay(false) }},
		{"NoDelay on", func(c setters) error { return c.SetNoDelay(true) }},
		{"KeepAlive off", func(c setters) error { return c.SetKeepAlive(false) }},
		{"KeepAlive on", func(c setters) error { return c.SetKeepAlive(true) }},
		{"period", func(c setters) error { return c.SetKeepAlivePeriod(2500 * time.Millisecond) }},
		{"period 0", func(c setters) error { return c.SetKeepAlivePeriod(0) }},
		{"period < 0", func(c setters) error { return c.SetKeepAlivePeriod(-1) }},
		{"config", func(c setters) error {
			return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: time.Second, Count: 4})
		}},
		{"config off", func(c setters) error {
			return c.SetKeepAliveConfig(net.KeepAliveConfig{Idle: -1, Interval: -1, Count: -1})
		}},
		{"linger 0", func(c setters) error { return c.SetLinger(0) }},
		{"linger 3", func(c setters) error { return c.SetLinger(3) }},
		{"linger off", func(c setters) error { return c.SetLinger(-1) }},
		{"ReadBuffer", func(c setters) error { return c.SetReadBuffer(20_000) }},
		{"Coalesce", func(c setters) error { return c.SetWriteBuffer(30_000) }},
		{"MultipathTCP", func(c setters) error {
			if used, err := c.MultipathTCP(); used || err != nil {
				return fmt.Errorf("used %v, %w", used, err)
			}
			return nil
		}},
	}
	results := map[string][]string{}
	stacks(t, func(t *testing.T, s *stack) {
		server, _ := s.pair(t)
		for _, step := range steps {
			err := step.set(server.(setters))
			results[s.name] = append(results[s.name], fmt.Sprint(step.name, " ", err, " ", optionValues(t, server)))
		}
		must(t, server.Close())
		for _, step := range steps[1 : len(steps)-1] { // MultipathTCP reports true without an error in package net
			err := step.set(server.(setters))
			text := strings.NewReplacer(server.LocalAddr().String(), "LOCAL", server.RemoteAddr().String(), "REMOTE").Replace(fmt.Sprint(err))
			results[s.name] = append(results[s.name], fmt.Sprintf("%s after Close: %s %T", step.name, text, err))
		}
	})
	for name, got := range results {
		for i, want := range results["net"] {
			if got[i] != want {
				t.Errorf("%s: %s\nnet: %s", name, got[i], want)
			}
		}
	}
}

func optionValues(t *testing.T, c net.Conn) string {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	must(t, err)
	var b strings.Builder
	must(t, rc.Control(func(fd uintptr) {
		for _, o := range [][2]int{
			{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT}, {unix.SOL_SOCKET, unix.SO_RCVBUF}, {unix.SOL_SOCKET, unix.SO_SNDBUF},
		} {
			v, err := unix.GetsockoptInt(int(fd), o[0], o[1])
			if o[1] == unix.SO_RCVBUF && o[0] == unix.SOL_SOCKET && v > 100_000 || o[1] == unix.SO_SNDBUF && o[0] == unix.SOL_SOCKET && v > 100_000 {
				v = -1 // the kernel's own choice, which varies
			}
			fmt.Fprint(&b, v, " ", err, " ")
		}
		var l unix.Linger
		size := uint32(8)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_LINGER, uintptr(ptr(&l)), uintptr(ptr(&size)), 0)
		fmt.Fprint(&b, l, errno)
	}))
	return b.String()
}

// An accepted connection has the options that package net sets.
func TestRow11AcceptedOptions(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		for range 3 { // the listener checks the options of the first connection only
			server, _ := s.pair(t)
			for _, o := range []struct {
				name                string
				level, option, want int
			}{
				{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
				{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
				{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
				{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
				{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
			} {
				var got int
				rc, err := stdAddrs(t, server).(syscall.Conn).SyscallConn()
				must(t, err)
				must(t, rc.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), o.level, o.option) }))
				must(t, err)
				// net.FileConn does not change these.
				if got != o.want {
					t.Errorf("%s is %d, want %d", o.name, got, o.want)
				}
			}
		}
	})
}

// Accepted connections have ListenConfig's keep-alive settings, also with Multipath TCP.
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

// A lingering Close blocks its caller, not the reactor.
func TestRow11LingerDoesNotBlockOthers(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		var servers, clients []net.Conn
		for range 8 { // several on each reactor
			client, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer client.Close()
			server, err := ln.Accept()
			must(t, err)
			defer server.Close()
			servers, clients = append(servers, server), append(clients, client)
		}
		// The first one has data that the peer does not take.
		lingering := servers[0].(*Conn)
		must(t, lingering.SetLinger(30))
		must(t, lingering.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
		lingering.Write(make([]byte, 64<<20))
		closed := make(chan error, 1)
		go func() { closed <- lingering.Close() }()
		within(t, "starting to close", func() {
			for !errors.Is(lingering.SetDeadline(time.Time{}), net.ErrClosed) {
				time.Sleep(100 * time.Microsecond)
			}
		})
		within(t, "the other connections", func() {
			for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
				for i := 1; i < len(servers); i++ {
					if _, err := servers[i].Write([]byte("x")); err != nil {
						t.Error(err)
					}
					if _, err := clients[i].Read(make([]byte, 1)); err != nil {
						t.Error(err)
					}
				}
			}
		})
		must(t, clients[0].Close()) // ends the lingering Close
		within(t, "Close", func() { <-closed })
	})
}

// SetLinger and Close do not race. Only -race shows a failure.
func TestRow11SetLingerRacesClose(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		for range 50 {
			server, _ := s.pair(t)
			c := server.(*Conn)
			var wg sync.WaitGroup
			wg.Go(func() {
				if err := errors.Join(c.SetLinger(1), c.SetLinger(-1)); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			})
			wg.Go(func() { must(t, c.Close()) })
			wg.Wait()
		}
	})
}
