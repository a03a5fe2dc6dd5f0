package netring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// A program that dials, waits with a deadline and closes, again and again, on a Poller
// that nobody else uses: whoever ends a call may come last to the Poller's end.
func TestRow24DialWaitClose(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	go serveConns(ln, func(c net.Conn) { io.Copy(io.Discard, c) })
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			for i := range 300 {
				p := newUncheckedPoller(t, Config{Engine: engine, Reactors: 1})
				d := Dialer{Poller: p}
				c, err := d.Dial("tcp", ln.Addr().String())
				must(t, err)
				must(t, c.SetReadDeadline(time.Now().Add(time.Duration(i%7)*50*time.Microsecond)))
				if _, err := c.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("Read: %v", err)
				}
				must(t, errors.Join(c.Close(), p.Close()))
			}
		})
	}
}

// newUncheckedPoller is newPoller for a Poller that the test closes.
func newUncheckedPoller(t testing.TB, cfg Config) *Poller {
	t.Helper()
	p, err := NewPoller(cfg)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("io_uring is refused here: %v", err)
	}
	must(t, err)
	return p
}

// Calls that have nothing to wait for do not wait for other goroutines: a turn of the
// scheduler is 20 of them here.
func TestRow26NothingWaitsForATurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	stacks(t, func(t *testing.T, s *stack) {
		const conns, computing = 40, 20
		ln := s.listen(t)
		var servers, clients []net.Conn
		for range conns {
			client, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer client.Close()
			server, err := ln.Accept()
			must(t, err)
			defer server.Close()
			servers, clients = append(servers, server), append(clients, client)
		}
		// Every connection waits once, so that its reactor watches it, and then some
		// wait for good, so that there is a goroutine that watches.
		var waiting sync.WaitGroup
		defer waiting.Wait()
		for i, c := range servers {
			waiting.Go(func() {
				c.Read(make([]byte, 1000))
				if i >= conns/2 {
					c.Read(make([]byte, 1000))
				}
			})
		}
		time.Sleep(10 * time.Millisecond) // mostly they wait by then; the test holds all the same
		for _, c := range clients {
			_, err := c.Write([]byte("x"))
			must(t, err)
		}
		var turns atomic.Int64
		var stop atomic.Bool
		var wg sync.WaitGroup
		defer wg.Wait()
		defer stop.Store(true)
		for range computing {
			wg.Go(func() {
				for !stop.Load() {
					turns.Add(1)
					for start := time.Now(); time.Since(start) < 100*time.Microsecond; {
					}
					runtime.Gosched()
				}
			})
		}
		count := func(what string, n int, f func(i int) error) {
			t.Helper()
			before := turns.Load()
			for i := range n {
				if err := f(i); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			// The scheduler preempts this goroutine now and then, and with package net, too.
			if got := turns.Load() - before; got > int64(n*computing/4) {
				t.Errorf("%d times %s let others compute %d times: a turn is %d", n, what, got, computing)
			}
		}
		if !s.buffered { // else it is there to wait for a batch
			count("CloseWrite", conns/2, func(i int) error { return servers[i].(interface{ CloseWrite() error }).CloseWrite() })
		}
		count("Close", conns/2, func(i int) error { return servers[i].Close() })
		for i := range conns {
			clients[i].Close()
		}
	})
}

// One call that blocks in the application holds up no other connection's end.
func TestPollerCloseIsNotSerial(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			p := newUncheckedPoller(t, Config{Engine: engine, Reactors: 2})
			s := &stack{poller: p}
			ln := s.listen(t)
			const conns = 9
			release := make(chan struct{})
			var clients []net.Conn
			var blocked, entered sync.WaitGroup
			for i := range conns {
				client, err := net.Dial("tcp", ln.Addr().String())
				must(t, err)
				defer client.Close()
				clients = append(clients, client)
				server, err := ln.Accept()
				must(t, err)
				if i == conns-1 {
					break // the last to be registered
				}
				rc, err := server.(*Conn).SyscallConn()
				must(t, err)
				entered.Add(1)
				blocked.Go(func() {
					must(t, rc.Control(func(uintptr) {
						entered.Done()
						<-release
					}))
				})
			}
			entered.Wait()
			closed := make(chan error, 1)
			go func() { closed <- p.Close() }()
			within(t, "the end of a connection that nobody holds", func() {
				if _, err := clients[conns-1].Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the peer reads %v", err)
				}
			})
			close(release)
			within(t, "Poller.Close", func() { must(t, <-closed) })
			blocked.Wait()
		})
	}
}

// Run with -race, this shows whether SetLinger and Close agree on what Close does.
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

// While nothing comes from the source of an io.Copy, its destination is free for
// others.
func TestRow19CopyLocksForAStep(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		dst, dstPeer := s.pair(t)
		src1, peer1 := s.pair(t)
		src2, peer2 := s.pair(t)
		var wg sync.WaitGroup
		for _, src := range []net.Conn{src1, src2} {
			wg.Go(func() {
				if n, err := io.Copy(dst, src); n != 5 || err != nil {
					t.Errorf("Copy: %d, %v", n, err)
				}
			})
		}
		read := func(want string) {
			t.Helper()
			buf := make([]byte, len(want))
			within(t, want, func() {
				if _, err := io.ReadFull(dstPeer, buf); string(buf) != want || err != nil {
					t.Errorf("the destination's peer reads %q, %v; want %q", buf, err, want)
				}
			})
		}
		for _, tc := range []struct {
			from net.Conn
			text string
		}{{peer1, "one, "}, {dst, "write"}, {peer2, "two, "}} {
			if _, err := tc.from.Write([]byte(tc.text)); err != nil {
				t.Fatal(err)
			}
			read(tc.text)
		}
		must(t, errors.Join(peer1.Close(), peer2.Close()))
		within(t, "the copies", wg.Wait)
	})
}

// What ends a copy, and with which error, is what it is with package net.
func TestRow19CopyEnds(t *testing.T) {
	shape := func(err error) string {
		var ops []string
		for e := err; e != nil; e = errors.Unwrap(e) {
			if oe, ok := e.(*net.OpError); ok {
				ops = append(ops, oe.Op)
			}
		}
		return fmt.Sprintf("%q, ErrClosed %v, timeout %v", ops, errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded))
	}
	for _, network := range []string{"tcp", "unix"} {
		for name, prepare := range map[string]func(dst, src, peer net.Conn) error{
			"destination closed, source at its end": func(dst, _, peer net.Conn) error { return errors.Join(dst.Close(), peer.Close()) },
			"destination closed": func(dst, _, peer net.Conn) error {
				_, err := peer.Write([]byte("x"))
				return errors.Join(err, dst.Close())
			},
			"source closed":            func(_, src, _ net.Conn) error { return src.Close() },
			"both closed":              func(dst, src, _ net.Conn) error { return errors.Join(dst.Close(), src.Close()) },
			"source's deadline passed": func(_, src, _ net.Conn) error { return src.SetReadDeadline(time.Unix(1, 0)) },
			"destination's deadline passed": func(dst, _, peer net.Conn) error {
				_, err := peer.Write([]byte("x"))
				return errors.Join(err, dst.SetWriteDeadline(time.Unix(1, 0)))
			},
		} {
			t.Run(network+"/"+name, func(t *testing.T) {
				var want string
				stacks(t, func(t *testing.T, s *stack) {
					address := "127.0.0.1:0"
					if network == "unix" {
						address = filepath.Join(t.TempDir(), "s")
					}
					ln := s.listenOn(t, network, address)
					pair := func() (server, client net.Conn) {
						client, err := net.Dial(network, ln.Addr().String())
						must(t, err)
						t.Cleanup(func() { client.Close() })
						server, err = ln.Accept()
						must(t, err)
						t.Cleanup(func() { closeQuietly(t, server) })
						return server, client
					}
					dst, _ := pair()
					src, peer := pair()
					must(t, prepare(dst, src, peer))
					_, err := io.Copy(dst, src)
					got := shape(err)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("%s, want %s (%v)", got, want, err)
					}
				})
			})
		}
	}
}

// A callback that panics or ends its goroutine leaves nothing behind.
func TestRow21CallbacksPanic(t *testing.T) {
	end := map[string]func(){"panic": func() { panic("on purpose") }, "Goexit": runtime.Goexit}
	// survive runs f on a goroutine of its own, until it ends one way or the other.
	survive := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { _ = recover() }()
			f()
		}()
		<-done
	}
	stacks(t, func(t *testing.T, s *stack) {
		for name, end := range end {
			t.Run(name, func(t *testing.T) {
				ln := s.listen(t)
				client, err := net.Dial("tcp", ln.Addr().String())
				must(t, err)
				defer client.Close()
				server, err := ln.Accept()
				must(t, err)
				for _, c := range []any{server, ln} {
					rc, err := c.(syscall.Conn).SyscallConn()
					must(t, err)
					within(t, "the callbacks", func() {
						survive(func() { _ = rc.Control(func(uintptr) { end() }) })
						if c == any(server) {
							survive(func() { _ = rc.Read(func(uintptr) bool { end(); return true }) })
							survive(func() { _ = rc.Write(func(uintptr) bool { end(); return true }) })
						}
					})
				}
				within(t, "what comes afterwards", func() {
					if _, err := server.Write([]byte("x")); err != nil {
						t.Error(err)
					}
					if _, err := client.Write([]byte("x")); err != nil {
						t.Error(err)
					}
					if _, err := server.Read(make([]byte, 1000)); err != nil {
						t.Error(err)
					}
					must(t, errors.Join(server.Close(), ln.Close()))
				})
			})
		}
	})
	for name, end := range end {
		t.Run("default Poller/"+name, func(t *testing.T) {
			engines(t)
			control := func(_, _ string, c syscall.RawConn) error {
				// Package net forgets the socket.
				must(t, c.Control(func(sysfd uintptr) { t.Cleanup(func() { must(t, unix.Close(int(sysfd))) }) }))
				end()
				return nil
			}
			survive(func() {
				lc := ListenConfig{Control: control}
				_, _ = lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			})
			awaitNoDefaultPoller(t)
			// A Dialer that may race addresses runs Control elsewhere, as package net's does.
			survive(func() {
				d := Dialer{Control: control}
				_, _ = d.Dial("tcp4", "127.0.0.1:1")
			})
			awaitNoDefaultPoller(t)
		})
	}
}

// File does not wait for a Read, and no byte is lost to either.
func TestRow22FileDuringRead(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		for _, size := range []int{1, 100, 4096} {
			server, client := s.pair(t)
			read := make(chan string, 1)
			go func() {
				buf := make([]byte, size)
				n, err := server.Read(buf)
				if err != nil {
					t.Error(err)
				}
				read <- string(buf[:n])
			}()
			if s.poller != nil {
				awaitWaiting(t, s.poller, 1)
			}
			var f *os.File
			within(t, "File", func() {
				var err error
				f, err = server.(interface{ File() (*os.File, error) }).File()
				must(t, err)
			})
			if _, err := client.Write([]byte("0123456789")); err != nil {
				t.Fatal(err)
			}
			must(t, client.Close())
			got := <-read
			if len(got) != min(size, 10) {
				t.Errorf("a Read of %d bytes took %d", size, len(got))
			}
			rest, err := io.ReadAll(f)
			if got+string(rest) != "0123456789" || err != nil {
				t.Errorf("Read had %q, the file has %q, %v", got, rest, err)
			}
			must(t, f.Close())
		}
	})
}

// awaitWaiting waits until n calls of p wait.
func awaitWaiting(t testing.TB, p *Poller, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); p.Stats().Waiting != n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d calls wait, want %d", p.Stats().Waiting, n)
		}
	}
}

// Waits for the network are not in the block profile.
func TestRow23BlockProfile(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector, calls wait on a mutex, which the block profile shows")
	}
	runtime.SetBlockProfileRate(1)
	defer runtime.SetBlockProfileRate(0)
	stacks(t, func(t *testing.T, s *stack) {
		var wg sync.WaitGroup
		for range 20 {
			server, client := s.pair(t)
			waited := make(chan struct{})
			wg.Go(func() {
				for range 3 {
					must(t, server.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
					if _, err := server.Read(make([]byte, 1000)); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("Read: %v", err)
					}
				}
				must(t, server.SetReadDeadline(time.Time{}))
				close(waited)
				if _, err := server.Read(make([]byte, 100)); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				<-waited
				time.Sleep(30 * time.Millisecond) // not to wait for anything: the wait shall last
				if _, err := client.Write([]byte("x")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	n, _ := runtime.BlockProfile(nil)
	records := make([]runtime.BlockProfileRecord, n+100)
	n, _ = runtime.BlockProfile(records)
	for _, r := range records[:n] {
		frames := runtime.CallersFrames(r.Stack())
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			// Less is what they waited for mutexes, on a busy machine.
			if strings.Contains(f.Function, "reactor.(*FD).Read") && r.Cycles > 1_000_000_000 {
				t.Errorf("%d waits of %d cycles in %s", r.Count, r.Cycles, f.Function)
			}
		}
	}
}

// Where no call waits there is no goroutine of netring's, even if nothing is closed.
func TestRow23NoGoroutineWithoutACall(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		before := goleak.IgnoreCurrent()
		ln := s.listen(t)
		var wg sync.WaitGroup
		var servers, clients []net.Conn
		for range 8 {
			client, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer client.Close()
			server, err := ln.Accept()
			must(t, err)
			servers, clients = append(servers, server), append(clients, client)
			wg.Go(func() {
				for range 100 {
					if _, err := client.Write([]byte("ping")); err != nil {
						t.Error(err)
					}
					if _, err := client.Read(make([]byte, 10)); err != nil {
						t.Error(err)
					}
				}
			})
			wg.Go(func() {
				for range 100 {
					n, err := server.Read(make([]byte, 1000))
					if err != nil {
						t.Error(err)
					}
					if _, err := server.Write(make([]byte, n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if err := goleak.Find(before); err != nil {
			t.Errorf("after traffic: %v", err)
		}
		// Calls that others end, while the reactors' goroutines sleep. Those are there once
		// a call that watched itself has got what it waited for.
		watching := s.poller.Stats().Reactors
		for i, c := range servers {
			wg.Go(func() {
				_, err := c.Read(make([]byte, 1000))
				if i >= watching && !errors.Is(err, os.ErrDeadlineExceeded) || i < watching && err != nil {
					t.Errorf("Read %d: %v", i, err)
				}
			})
			awaitWaiting(t, s.poller, i+1)
		}
		for _, client := range clients[:watching] {
			_, err := client.Write([]byte("x"))
			must(t, err)
		}
		awaitWaiting(t, s.poller, len(servers)-watching)
		time.Sleep(20 * time.Millisecond) // mostly they sleep by then; the test holds all the same
		for _, c := range servers {
			must(t, c.SetReadDeadline(time.Unix(1, 0)))
		}
		wg.Wait()
		if err := goleak.Find(before); err != nil {
			t.Errorf("after deadlines: %v", err)
		}
		for _, c := range servers {
			must(t, c.Close())
		}
	})
}

// GOMAXPROCS may grow while the program runs.
func TestReactorsFollowGOMAXPROCS(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("there is one CPU, so there is one reactor")
	}
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			follows, fixed := newPoller(t, Config{Engine: engine}), newPoller(t, Config{Engine: engine, Reactors: 1})
			listen := func(p *Poller) {
				t.Helper()
				ln := (&stack{poller: p}).listen(t)
				must(t, ln.Close())
			}
			listen(follows)
			if n := follows.Stats().Reactors; n != 1 {
				t.Errorf("%d reactors for one P", n)
			}
			runtime.GOMAXPROCS(2)
			listen(follows)
			listen(fixed)
			if n := follows.Stats().Reactors; n != 2 {
				t.Errorf("%d reactors for two Ps", n)
			}
			if n := fixed.Stats().Reactors; n != 1 {
				t.Errorf("%d reactors where one was asked for", n)
			}
			// The new one serves, too.
			for range 4 {
				server, client := (&stack{poller: follows}).pair(t)
				if _, err := client.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if _, err := server.Read(make([]byte, 10)); err != nil {
					t.Error(err)
				}
				must(t, server.Close())
			}
			runtime.GOMAXPROCS(1)
			listen(follows)
			if n := follows.Stats().Reactors; n != 2 {
				t.Errorf("%d reactors are left", n)
			}
		})
	}
}

// Importing the package opens and starts nothing: a process that has no descriptor
// left can do it.
func TestImportStartsNothing(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "importer")
	build := exec.Command("go", "build", "-o", bin, "./internal/importer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // the C library would need a descriptor to be loaded
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command("sh", "-c", "ulimit -n 3; exec "+bin).CombinedOutput()
	if string(out) != "1 goroutine\n" || err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// Errors say what is wrong and what to do.
func TestErrorsName(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			p := newUncheckedPoller(t, Config{Engine: engine})
			must(t, p.Close())
			lc, d := ListenConfig{Poller: p}, Dialer{Poller: p}
			_, lerr := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			_, derr := d.Dial("tcp", "127.0.0.1:1")
			for what, err := range map[string]error{"Listen": lerr, "Dial": derr, "Close": p.Close()} {
				if !errors.Is(err, net.ErrClosed) || !strings.HasSuffix(err.Error(), "netring: the Poller is closed; make a new Poller") {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	for _, network := range []string{"unixpacket", "udp", "ip4:icmp"} {
		_, lerr := Listen(network, "127.0.0.1:0")
		_, derr := Dial(network, "127.0.0.1:1")
		for _, err := range []error{lerr, derr} {
			var unknown net.UnknownNetworkError
			if !errors.As(err, &unknown) || string(unknown) != network || !strings.Contains(err.Error(), `["tcp" "tcp4" "tcp6" "unix"]`) {
				t.Errorf("%s: %v", network, err)
			}
		}
	}
}

// limitedUserEnv tells the child of TestMemoryLock what to do.
const limitedUserEnv = "NETRING_TEST_MEMLOCK"

// Rings count against RLIMIT_MEMLOCK, from which root is exempt: so the test runs as
// an ordinary user, in a child process.
func TestMemoryLock(t *testing.T) {
	if step := os.Getenv(limitedUserEnv); step != "" {
		testMemoryLock(t, step)
		return
	}
	if os.Getuid() != 0 {
		t.Skip("it takes root to become another user")
	}
	if os.Getenv(EngineEnv) != "" || os.Getenv(sandboxEnv) != "" {
		t.Skip("it is about what EngineAuto picks where io_uring is there")
	}
	self, err := os.Open("/proc/self/exe")
	must(t, err)
	defer self.Close()
	for _, step := range []string{"64", "16", "0"} {
		t.Run(step+" KiB", func(t *testing.T) {
			// The binary is in a directory that the user may not search.
			cmd := exec.Command("sh", "-c", "ulimit -l "+step+` && exec /proc/self/fd/3 -test.run '^TestMemoryLock$' -test.v`)
			cmd.ExtraFiles = []*os.File{self}
			cmd.Env = append(os.Environ(), limitedUserEnv+"="+step)
			cmd.Dir = "/"
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			out, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("--- PASS: TestMemoryLock")) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func testMemoryLock(t *testing.T, step string) {
	want := EngineURing // 5 rings of 8 KiB
	if step != "64" {
		want = EngineSyscall
	}
	if p, err := NewPoller(Config{Engine: EngineURing, Reactors: 8}); err == nil && step != "64" {
		// The limit does not apply: a kernel from 5.12 to 6.13.
		must(t, p.Close())
		t.Skip("this kernel does not count the memory of rings")
	} else if err == nil {
		must(t, p.Close())
	}
	for range 5 { // the memory of closed rings comes back late
		p, err := NewPoller(Config{Reactors: 4})
		must(t, err)
		s := p.Stats()
		if s.Engine != want || (s.EngineReason == "") != (want == EngineURing) {
			t.Errorf("with %s KiB the engine is %v, because %q", step, s.Engine, s.EngineReason)
		}
		for _, r := range p.all() {
			if kind, _ := r.Engine(); engineOf(kind) != s.Engine {
				t.Errorf("one reactor has the engine %v, the Poller %v", kind, s.Engine)
			}
		}
		server, client := (&stack{poller: p}).pair(t)
		if _, err := client.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := server.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		must(t, p.Close())
	}
	r, err := Probe()
	must(t, err)
	ln, err := Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	if s := currentDefaultPoller().Stats(); s.Engine != r.Engine || s.EngineReason != "" && s.EngineReason != r.Reason {
		t.Errorf("Probe says %v because %q, and the default Poller %v because %q", r.Engine, r.Reason, s.Engine, s.EngineReason)
	}
	if want == EngineURing {
		return
	}
	p, err := NewPoller(Config{Engine: EngineURing, Reactors: 4})
	if err == nil {
		must(t, p.Close())
	}
	if !errors.Is(err, syscall.ENOMEM) || !strings.Contains(err.Error(), "RLIMIT_MEMLOCK, now "+step+" KiB") {
		t.Errorf("EngineURing: %v", err)
	}
}

// What the peer of a connection that is closed sees depends on whether all was read, as
// with net.
func TestRow27UnreadAtClose(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, size := range []int{0, 1, 100, 999, 1000, 2000} { // of 1000 bytes
			t.Run(fmt.Sprintf("%s/%d", network, size), func(t *testing.T) {
				var want string
				stacks(t, func(t *testing.T, s *stack) {
					address := "127.0.0.1:0"
					if network == "unix" {
						address = filepath.Join(t.TempDir(), "s")
					}
					ln := s.listenOn(t, network, address)
					client, err := net.Dial(network, ln.Addr().String())
					must(t, err)
					defer client.Close()
					server, err := ln.Accept()
					must(t, err)
					defer server.Close()
					// A call that waits makes the connection one of its reactor's.
					must(t, server.SetReadDeadline(time.Now().Add(time.Millisecond)))
					if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatal(err)
					}
					must(t, server.SetReadDeadline(time.Time{}))
					_, err = client.Write(make([]byte, 1000))
					must(t, err)
					if size > 0 {
						_, err := server.Read(make([]byte, size))
						must(t, err)
					}
					must(t, server.Close())
					_, err = client.Read(make([]byte, 1))
					got := fmt.Sprintf("reset %v, end %v", errors.Is(err, syscall.ECONNRESET), err == io.EOF)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("the peer sees %s (%v), want %s", got, err, want)
					}
				})
			})
		}
	}
}
