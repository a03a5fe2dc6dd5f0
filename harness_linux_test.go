package netring

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stack is an implementation of listeners and connections under test. The same
// steps run on package net's and on netring's, with each engine.
type stack struct {
	name   string
	poller *Poller // of the server; nil: package net
	dialer *Poller // of an http.Client; nil: package net

	buffered     bool          // writes of connections are coalesced
	isDefault    bool          // use the default Poller
	listenConfig *ListenConfig // used if not nil
}

// stacks runs f on package net and on netring with each engine. At the end of f, it
// checks the Poller's counters.
func stacks(t *testing.T, f func(t *testing.T, s *stack)) {
	t.Run("net", func(t *testing.T) { f(t, &stack{name: "net"}) })
	if os.Getenv(EngineEnv) == "net" {
		// netring's functions return package net's types here.
		t.Run("netring", func(t *testing.T) { f(t, &stack{name: "net", listenConfig: &ListenConfig{}}) })
		return
	}
	rings(t, f)
}

// rings runs f on netring with each engine, in both write modes.
func rings(t *testing.T, f func(t *testing.T, s *stack)) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			f(t, &stack{name: engine.String(), poller: newPoller(t, Config{Engine: engine})})
		})
		if os.Getenv(sandboxEnv) != "" {
			continue // write buffers work the same in a sandbox
		}
		t.Run(engine.String()+"+buffer", func(t *testing.T) {
			f(t, &stack{name: engine.String(), buffered: true, poller: newPoller(t, Config{Engine: engine, Coalesce: 4096})})
		})
	}
}

// engines returns the engines to test: both, or the engine that the environment asks
// for. With NETRING_ENGINE=net, engines skips the test.
func engines(t testing.TB) []Engine {
	t.Helper()
	engine, err := override(Engine(255))
	switch {
	case err != nil:
		t.Fatal(err)
	case engine == EngineNet:
		t.Skipf("%s=net: the test is about what package net does not have", EngineEnv)
	case engine == Engine(255):
		return []Engine{EngineURing, EngineSyscall}
	}
	return []Engine{engine}
}

// newPoller returns a Poller that is closed and checked when the test ends. It skips
// the test only if the kernel or the sandbox refuses io_uring.
func newPoller(t testing.TB, cfg Config) *Poller {
	t.Helper()
	p, err := NewPoller(cfg)
	if cfg.Engine == EngineURing && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS)) {
		t.Skipf("io_uring is refused here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Poller.Close: %v", err)
		}
		if s := p.Stats(); s.Stale != 0 || s.Descriptors != 0 || s.ReadBuffers.InUse != 0 {
			t.Errorf("after Close: %d stale completions, %d descriptors, %d buffers in use", s.Stale, s.Descriptors, s.ReadBuffers.InUse)
		}
	})
	return p
}

// listen listens on loopback until the end of the test.
func (s *stack) listen(t testing.TB) net.Listener {
	t.Helper()
	return s.listenOn(t, "tcp", "127.0.0.1:0")
}

func (s *stack) listenOn(t testing.TB, network, address string) net.Listener {
	t.Helper()
	ln, err := s.tryListen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeQuietly(t, ln) })
	return ln
}

func (s *stack) tryListen(network, address string) (net.Listener, error) {
	if s.listenConfig != nil {
		return s.listenConfig.Listen(context.Background(), network, address)
	}
	if s.poller == nil {
		return net.Listen(network, address)
	}
	if s.isDefault {
		return Listen(network, address)
	}
	lc := ListenConfig{Poller: s.poller}
	return lc.Listen(context.Background(), network, address)
}

// pair returns the two ends of a connection: server was accepted by the stack
// under test, client is package net's.
func (s *stack) pair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	ln := s.listen(t)
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeQuietly(t, client) })
	server, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeQuietly(t, server) })
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// pairBoth returns a connection with both ends on the stack under test.
func (s *stack) pairBoth(t testing.TB) (server, client net.Conn) {
	t.Helper()
	server, client = s.pair(t)
	if s.poller != nil {
		client = adopt(t, s.poller, client.(*net.TCPConn))
	}
	return server, client
}

// adopt moves one of package net's connections to p.
func adopt(t testing.TB, p *Poller, tc *net.TCPConn) *Conn {
	t.Helper()
	sysfd, err := duplicate(tc)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConn(p, sysfd, true, "tcp", tc.LocalAddr(), tc.RemoteAddr(), p.cfg.Coalesce)
	if err != nil {
		t.Fatal(errors.Join(err, unix.Close(sysfd)))
	}
	t.Cleanup(func() { closeQuietly(t, c) })
	if err := tc.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// writeOut is c.Write, followed by Flush if c has that method. It returns the number of
// bytes sent, 0 if Flush fails.
func writeOut(c net.Conn, p []byte) (int, error) {
	n, err := c.Write(p)
	if f, ok := c.(interface{ Flush() error }); ok && err == nil {
		if err = f.Flush(); err != nil {
			n = 0
		}
	}
	return n, err
}

// closeQuietly closes c, which the test may have closed before.
func closeQuietly(t testing.TB, c interface{ Close() error }) {
	t.Helper()
	err := c.Close()
	if nc, ok := c.(*Conn); ok && nc.poller.cfg.Coalesce > 0 && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)) {
		return // Close reports a buffered write that failed
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
}

// serveConns runs f for each connection that ln accepts, and closes the connection
// afterwards. It returns when ln is closed and every f has returned.
func serveConns(ln net.Listener, f func(c net.Conn)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			f(c)
		})
	}
}

// awaitNoDefaultPoller waits until the default Poller has ended, which lingers after its
// last use.
func awaitNoDefaultPoller(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); currentDefaultPoller() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the default Poller does not go")
		}
	}
}

func currentDefaultPoller() *Poller {
	defaultPoller.mu.Lock()
	defer defaultPoller.mu.Unlock()
	return defaultPoller.p
}

// within runs f and fails the test if f hangs.
func within(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timeout := time.NewTimer(30 * time.Second)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
		t.Fatalf("%s: still not done", what)
	}
}

// checkOpError checks the three levels of an error. errno 0 means that no system call
// failed.
func checkOpError(t testing.TB, err error, op string, source, addr net.Addr, is error, errno syscall.Errno) {
	t.Helper()
	oe, ok := err.(*net.OpError)
	if !ok {
		t.Errorf("%v is a %T, want a *net.OpError", err, err)
		return
	}
	if oe.Op != op || oe.Net != "tcp" || !sameAddr(oe.Source, source) || !sameAddr(oe.Addr, addr) {
		t.Errorf("%#v: want Op %q, Net tcp, Source %v, Addr %v", oe, op, source, addr)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("%v is not %v", err, is)
	}
	if errno != 0 {
		se, ok := oe.Err.(*os.SyscallError)
		if !ok || se.Err != errno {
			t.Errorf("%v: inside is %#v, want an *os.SyscallError with %v", err, oe.Err, errno)
		}
	}
}

func sameAddr(a, b net.Addr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.String() == b.String() && a.Network() == b.Network()
}

// newUncheckedPoller is newPoller for a Poller that the test closes itself.
func newUncheckedPoller(t testing.TB, cfg Config) *Poller {
	t.Helper()
	p, err := NewPoller(cfg)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("io_uring is refused here: %v", err)
	}
	must(t, err)
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
