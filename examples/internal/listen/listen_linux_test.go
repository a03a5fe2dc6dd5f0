package listen

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// parse returns the flags of an example with the given arguments. The end of the test
// closes the Poller.
func parse(t *testing.T, args ...string) *Flags {
	t.Helper()
	fs := flag.NewFlagSet("example", flag.ContinueOnError)
	f := Register(fs, "127.0.0.1:0")
	must(t, fs.Parse(args))
	t.Cleanup(func() { must(t, f.close()) })
	return f
}

// openers are the ways in which examples get a listener.
var openers = map[string]func(t *testing.T, f *Flags) (net.Listener, error){
	"Listen": func(_ *testing.T, f *Flags) (net.Listener, error) { return f.Listen() },
	"FileListener": func(t *testing.T, f *Flags) (net.Listener, error) {
		std, err := net.Listen("tcp", f.Addr())
		must(t, err)
		defer std.Close()
		file, err := std.(*net.TCPListener).File()
		must(t, err)
		defer file.Close()
		return f.FileListener(file)
	},
	"Wrap": func(t *testing.T, f *Flags) (net.Listener, error) {
		std, err := net.Listen("tcp", f.Addr())
		must(t, err)
		return f.Wrap(std)
	},
}

// Listeners and dialled connections are netring's, with the buffer that the example asks
// for, or package net's.
func TestFlags(t *testing.T) {
	if os.Getenv(netring.EngineEnv) == "net" {
		t.Skipf("%s=net: nothing is netring's", netring.EngineEnv)
	}
	for name, open := range openers {
		for _, listener := range []string{"netring", "net"} {
			t.Run(name+" "+listener, func(t *testing.T) {
				f := parse(t, "-listener", listener)
				f.Coalesce = 4096
				ln, err := open(t, f)
				must(t, err)
				defer ln.Close()
				checkPair(t, f, ln, listener == "netring")
			})
		}
	}
}

// checkPair checks whose a dialled and an accepted connection are.
func checkPair(t *testing.T, f *Flags, ln net.Listener, own bool) {
	t.Helper()
	dialled, err := f.Dial(context.Background(), "tcp", ln.Addr().String())
	must(t, err)
	defer dialled.Close()
	accepted, err := ln.Accept()
	must(t, err)
	defer accepted.Close()
	_, ownDialled := dialled.(*netring.Conn)
	_, ownAccepted := accepted.(*netring.Conn)
	if ownDialled != own || ownAccepted != own {
		t.Errorf("dialled: %T, accepted: %T", dialled, accepted)
	}
	s := f.Stats()
	if !own {
		if f.Poller() != nil || s.Engine != netring.EngineNet {
			t.Errorf("Poller %v, %+v", f.Poller(), s)
		}
		return
	}
	if f.Poller() == nil || s.Accepted != 1 || s.Dialled != 1 {
		t.Errorf("accepted %d, dialled %d", s.Accepted, s.Dialled)
	}
	// Without a buffer, Write would wait for the peer to read.
	const most = 1 << 20
	must(t, accepted.SetWriteDeadline(time.Now().Add(20*time.Second)))
	sent := 0
	for accepted.(*netring.Conn).Buffered() == 0 && sent < most {
		n, err := accepted.Write(make([]byte, 4000))
		must(t, err)
		sent += n
	}
	if sent >= most {
		t.Errorf("%d bytes were written, and none was ever buffered", sent)
	}
	if _, err := io.ReadFull(dialled, make([]byte, sent)); err != nil {
		t.Error(err)
	}
}

// failingListener fails a few times and then for good.
type failingListener struct {
	net.Listener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
}

// Serve outlives a lack of descriptors and memory, and nothing else.
func TestTemporaryErrors(t *testing.T) {
	ln := &failingListener{errs: []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EINVAL, syscall.EIO}}
	s := NewConns(func(context.Context, net.Conn) {})
	if err := s.Serve(ln); !errors.Is(err, syscall.EINVAL) || len(ln.errs) != 1 {
		t.Errorf("Serve returns %v, and %d errors are left", err, len(ln.errs))
	}
}

// Shutdown closes the listener, lets a connection end by itself, and ends one that does
// not.
func TestShutdown(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		handling := make(chan bool)
		s := NewConns(func(ctx context.Context, c net.Conn) {
			handling <- true
			if stuck {
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) { // by Shutdown
					t.Errorf("Read returns %v", err)
				}
				<-ctx.Done()
			} else if _, err := io.Copy(c, c); err != nil {
				t.Error(err)
			}
		})
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		c, err := net.Dial("tcp", ln.Addr().String())
		must(t, err)
		defer c.Close()
		<-handling
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(ctx) }()
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returns %v", err)
		}
		if !stuck {
			checkLastWords(t, c)
		}
		must(t, <-ended)
		if err := s.Serve(ln); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Shutdown, Serve returns %v", err)
		}
	}
}

// checkLastWords checks that c is still served, and ends it.
func checkLastWords(t *testing.T, c net.Conn) {
	t.Helper()
	must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	_, err := io.WriteString(c, "last words")
	must(t, err)
	must(t, c.(*net.TCPConn).CloseWrite())
	if got, err := io.ReadAll(c); string(got) != "last words" || err != nil {
		t.Errorf("during Shutdown, the connection returns %q, %v", got, err)
	}
}

// endless is a Server whose Shutdown does not end Serve.
type endless struct{ end chan error }

func (s endless) Serve(net.Listener) error       { return <-s.end }
func (s endless) Shutdown(context.Context) error { return nil }

// A Server that does not end is an error.
func TestEndlessServer(t *testing.T) {
	defer func(d time.Duration) { grace = d }(grace)
	grace = 20 * time.Millisecond
	f := parse(t, "-listener", "net")
	ln, err := f.Listen()
	must(t, err)
	defer ln.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := endless{make(chan error)}
	defer close(s.end)
	if err := f.RunUntil(ctx, s, "nothing", ln); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("RunUntil returns %v", err)
	}
}
