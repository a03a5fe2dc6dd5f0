package netringgrpc_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/netring-go/netring"
	netringgrpc "github.com/netring-go/netring/integrations/grpc"
	"github.com/netring-go/netring/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// patience is the time after which a test that waits fails.
const patience = 60 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patient returns a context that ends after patience.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// stack makes listeners and connections on a Poller.
type stack struct {
	engine netring.Engine
	netringgrpc.ListenConfig
	netringgrpc.Dialer
}

// stacks runs the test with each engine, or with the engine that the environment asks for.
func stacks(t *testing.T, test func(t *testing.T, s *stack)) {
	engines := []netring.Engine{netring.EngineURing, netring.EngineSyscall, netring.EngineNet}
	if v := os.Getenv(netring.EngineEnv); v != "" {
		engines = engines[:1]
		must(t, engines[0].UnmarshalText([]byte(v)))
	}
	for _, engine := range engines {
		t.Run(engine.String(), func(t *testing.T) {
			p, err := netring.NewPoller(netring.Config{Engine: engine, Reactors: 2})
			if engine == netring.EngineURing && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS)) {
				t.Skipf("io_uring is refused here: %v", err)
			}
			must(t, err)
			t.Cleanup(func() { must(t, p.Close()) })
			s := &stack{engine: engine}
			s.ListenConfig.ListenConfig.Poller, s.Dialer.Dialer.Poller = p, p
			test(t, s)
		})
	}
}

// listen returns a listener on an address of its own.
func (s *stack) listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := s.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	return ln
}

// service echoes what it gets.
type service struct {
	grpc_testing.UnimplementedTestServiceServer
}

func (service) UnaryCall(_ context.Context, in *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	return &grpc_testing.SimpleResponse{Payload: in.Payload}, nil
}

func (service) FullDuplexCall(s grpc_testing.TestService_FullDuplexCallServer) error {
	return echo(s)
}

// serve serves ln until the test ends, or until the returned server is stopped.
func serve(t testing.TB, ln net.Listener, opts ...grpc.ServerOption) *grpc.Server {
	t.Helper()
	s := grpc.NewServer(opts...)
	grpc_testing.RegisterTestServiceServer(s, service{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Serve(ln); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		s.Stop()
		wg.Wait()
	})
	return s
}

// client returns a client of the target. The test's end closes the client.
func client(t testing.TB, target string, dial func(context.Context, string) (net.Conn, error), opts ...grpc.DialOption) (grpc_testing.TestServiceClient, *grpc.ClientConn) {
	t.Helper()
	opts = append([]grpc.DialOption{grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials())}, opts...)
	cc, err := grpc.NewClient(target, opts...)
	must(t, err)
	t.Cleanup(func() {
		if err := cc.Close(); err != nil {
			t.Errorf("closing the client: %v", err)
		}
	})
	return grpc_testing.NewTestServiceClient(cc), cc
}

// client returns a client of ln.
func (s *stack) client(t testing.TB, ln net.Listener, opts ...grpc.DialOption) (grpc_testing.TestServiceClient, *grpc.ClientConn) {
	t.Helper()
	return client(t, "passthrough:///"+ln.Addr().String(), s.DialContext, opts...)
}
