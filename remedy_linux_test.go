package netring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/netring-go/netring/reactor/engine"
)

// Errors of making a reactor say what to change, with the value that is too low.
func TestRemedies(t *testing.T) {
	open := func(errno error) error { return os.NewSyscallError("epoll_create1", errno) }
	for _, tc := range []struct {
		err  error
		want []string
	}{
		{open(syscall.EMFILE), []string{"RLIMIT_NOFILE, is ", "ulimit -n"}},
		{open(syscall.ENFILE), []string{"fs.file-max"}},
		{&engine.Unavailable{Err: syscall.EPERM}, []string{"or use EngineAuto", "NETRING_ENGINE=auto"}},
		{open(syscall.ENOMEM), nil},
	} {
		err := withRemedy(tc.err)
		if !errors.Is(err, tc.err) || tc.want == nil && err != tc.err {
			t.Errorf("%v becomes %v", tc.err, err)
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not speak of %q", err, want)
			}
		}
	}
}

// Listen without free descriptors names the limit and its value.
func TestListenWithoutDescriptors(t *testing.T) {
	engines(t) // skips the test with NETRING_ENGINE=net
	awaitNoDefaultPoller(t)
	var err error
	withoutDescriptors(t, func() {
		var ln net.Listener
		if ln, err = Listen("tcp", "127.0.0.1:0"); err == nil {
			must(t, ln.Close())
		}
	})
	if !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("Listen: %v; want EMFILE", err)
	}
	for _, want := range []string{"RLIMIT_NOFILE", "ulimit -n"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not speak of %q", err, want)
		}
	}
}

// What a call through a closed Poller says must not be taken for a connection's error.
// The Poller may also be closed while the call is under way.
func TestClosedPollerSaysSo(t *testing.T) {
	peer, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer peer.Close()
	for _, engine := range engines(t) {
		for _, during := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, during the call %v", engine, during), func(t *testing.T) {
				for name, call := range map[string]func(p *Poller, control func(string, string, syscall.RawConn) error) error{
					"Listen": func(p *Poller, control func(string, string, syscall.RawConn) error) error {
						lc := ListenConfig{Poller: p, Control: control}
						_, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
						return err
					},
					"Dial": func(p *Poller, control func(string, string, syscall.RawConn) error) error {
						d := Dialer{Poller: p, Control: control}
						_, err := d.Dial("tcp", peer.Addr().String())
						return err
					},
				} {
					p := newUncheckedPoller(t, Config{Engine: engine, Reactors: 1})
					control := func(string, string, syscall.RawConn) error { return p.Close() }
					if !during {
						must(t, p.Close())
						control = nil
					}
					err := call(p, control)
					if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "netring: the Poller is closed; make a new Poller") {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
	}
}
