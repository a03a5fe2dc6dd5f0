package netringgrpc_test

import (
	"context"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"

	"github.com/netring-go/netring"
	netringgrpc "github.com/netring-go/netring/integrations/grpc"
)

// socketOptions are those that grpc-go and its dialer set: TCP_USER_TIMEOUT in milliseconds,
// and the keep-alive probes of TCP.
type socketOptions struct{ userTimeout, keepAlive, idle, interval, count int }

func optionsOf(t testing.TB, c net.Conn) (o socketOptions) {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	must(t, err)
	must(t, rc.Control(func(sysfd uintptr) {
		for _, opt := range []struct {
			value       *int
			level, name int
		}{
			{&o.userTimeout, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
			{&o.keepAlive, unix.SOL_SOCKET, unix.SO_KEEPALIVE},
			{&o.idle, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
			{&o.interval, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
			{&o.count, unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
		} {
			if *opt.value, err = unix.GetsockoptInt(int(sysfd), opt.level, opt.name); err != nil {
				t.Errorf("getsockopt %d, %d: %v", opt.level, opt.name, err)
			}
		}
	}))
	return o
}

// recorder is insecure credentials that pass on the connections which they see.
type recorder struct {
	credentials.TransportCredentials
	conns chan net.Conn
}

func newRecorder() recorder { return recorder{insecure.NewCredentials(), make(chan net.Conn, 1)} }

func (r recorder) ClientHandshake(ctx context.Context, authority string, c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	r.conns <- c
	return r.TransportCredentials.ClientHandshake(ctx, authority, c)
}

func (r recorder) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	r.conns <- c
	return r.TransportCredentials.ServerHandshake(c)
}

func (r recorder) Clone() credentials.TransportCredentials {
	return recorder{r.TransportCredentials.Clone(), r.conns}
}

// keepaliveCase is keepalive parameters and what TCP_USER_TIMEOUT they lead to.
type keepaliveCase struct {
	server                   keepalive.ServerParameters
	client                   keepalive.ClientParameters
	serverWants, clientWants int
}

// options makes a call and returns the options of both ends. A nil dial stands for grpc-go's
// own dialer.
func (k *keepaliveCase) options(t *testing.T, ln net.Listener, dial func(context.Context, string) (net.Conn, error)) (server, client socketOptions) {
	t.Helper()
	servers, clients := newRecorder(), newRecorder()
	s := serve(t, ln, grpc.KeepaliveParams(k.server), grpc.Creds(servers))
	opts := []grpc.DialOption{grpc.WithTransportCredentials(clients)}
	if k.client != (keepalive.ClientParameters{}) {
		opts = append(opts, grpc.WithKeepaliveParams(k.client))
	}
	if dial != nil {
		opts = append(opts, grpc.WithContextDialer(dial))
	}
	cc, err := grpc.NewClient("passthrough:///"+ln.Addr().String(), opts...)
	must(t, err)
	must(t, check(patient(t), grpc_testing.NewTestServiceClient(cc), nil))
	server, client = optionsOf(t, <-servers.conns), optionsOf(t, <-clients.conns)
	must(t, cc.Close())
	s.Stop()
	return server, client
}

// Both ends have the TCP_USER_TIMEOUT and the keep-alive probes that they have with package
// net and grpc-go's own dialer.
func TestKeepalive(t *testing.T) {
	const infinity = time.Duration(math.MaxInt64)
	type (
		server = keepalive.ServerParameters
		client = keepalive.ClientParameters
	)
	for name, k := range map[string]keepaliveCase{
		"default":         {server{}, client{}, 20000, 0},
		"default timeout": {server{Time: time.Hour}, client{Time: time.Hour}, 20000, 20000},
		"timeout":         {server{Timeout: 7 * time.Second}, client{Time: time.Minute, Timeout: 1234 * time.Millisecond}, 7000, 1234},
		"no time":         {server{Timeout: 7 * time.Second}, client{Timeout: 8 * time.Second}, 7000, 8000},
		"infinite":        {server{Time: infinity, Timeout: 7 * time.Second}, client{Time: infinity, Timeout: 7 * time.Second}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			std, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			wantServer, wantClient := k.options(t, std, nil)
			if wantServer.userTimeout != k.serverWants || wantClient.userTimeout != k.clientWants {
				t.Errorf("with package net, TCP_USER_TIMEOUT is %d and %d; the test expects %d and %d",
					wantServer.userTimeout, wantClient.userTimeout, k.serverWants, k.clientWants)
			}
			stacks(t, func(t *testing.T, s *stack) {
				s.ListenConfig.Keepalive, s.Dialer.Keepalive = k.server, k.client
				gotServer, gotClient := k.options(t, s.listen(t), s.DialContext)
				if gotServer != wantServer {
					t.Errorf("the server's connection has %+v; with package net, %+v", gotServer, wantServer)
				}
				if gotClient != wantClient {
					t.Errorf("the client's connection has %+v; with package net, %+v", gotClient, wantClient)
				}
			})
		})
	}
}

// The settings of the netring.Dialer inside take precedence over grpc-go's.
func TestDialerKeepAlive(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		defer func() { must(t, ln.Close()) }()
		s.Dialer.Dialer.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: 4 * time.Second, Count: 5}
		c, err := s.DialContext(t.Context(), ln.Addr().String())
		must(t, err)
		if got, want := optionsOf(t, c), (socketOptions{0, 1, 3, 4, 5}); got != want {
			t.Errorf("the connection has %+v instead of %+v", got, want)
		}
		must(t, c.Close())
		s.Dialer.Dialer = netring.Dialer{Poller: s.Dialer.Dialer.Poller, KeepAlive: -1}
		c, err = s.DialContext(t.Context(), ln.Addr().String())
		must(t, err)
		if o := optionsOf(t, c); o.keepAlive != 0 {
			t.Errorf("with a negative KeepAlive, the connection has %+v", o)
		}
		must(t, c.Close())
	})
}

// A peer that speaks Multipath TCP, whose sockets lack the option, is served.
func TestMultipathPeer(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		s.ListenConfig.ListenConfig.SetMultipathTCP(true)
		ln := s.listen(t)
		serve(t, ln)
		d := new(net.Dialer)
		d.SetMultipathTCP(true)
		multipath := make(chan bool, 1)
		c, _ := client(t, "passthrough:///"+ln.Addr().String(), func(ctx context.Context, address string) (net.Conn, error) {
			c, err := d.DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			is, err := c.(*net.TCPConn).MultipathTCP()
			multipath <- is
			return c, err
		})
		must(t, check(patient(t), c, randomBytes(1000)))
		if !<-multipath {
			t.Skip("the kernel has no Multipath TCP, or forbids it")
		}
	})
}

func TestInvalidTimeout(t *testing.T) {
	for _, timeout := range []time.Duration{-1, 25 * 24 * time.Hour} {
		lc := netringgrpc.ListenConfig{Keepalive: keepalive.ServerParameters{Timeout: timeout}}
		ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err == nil || !strings.Contains(err.Error(), "Keepalive.Timeout is "+timeout.String()) {
			t.Errorf("Listen with %v returns %v, %v", timeout, ln, err)
		}
		d := netringgrpc.Dialer{Keepalive: keepalive.ClientParameters{Time: time.Hour, Timeout: timeout}}
		c, err := d.DialContext(t.Context(), "127.0.0.1:1")
		if err == nil || !strings.Contains(err.Error(), "Keepalive.Timeout is "+timeout.String()) {
			t.Errorf("DialContext with %v returns %v, %v", timeout, c, err)
		}
	}
}
