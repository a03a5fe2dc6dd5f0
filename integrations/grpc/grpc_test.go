package netringgrpc_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/netring-go/netring"
	netringgrpc "github.com/netring-go/netring/integrations/grpc"
)

var streamBytes = flag.Int64("stream", 64<<20, "`bytes` that TestStream sends in each direction")

// randomBytes returns n bytes, the same at each call.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b) // never fails
	return b
}

// check makes a call and checks its answer.
func check(ctx context.Context, c grpc_testing.TestServiceClient, body []byte) error {
	out, err := c.UnaryCall(ctx, &grpc_testing.SimpleRequest{Payload: &grpc_testing.Payload{Body: body}})
	if err == nil && !bytes.Equal(out.Payload.GetBody(), body) {
		err = fmt.Errorf("the answer to %d bytes has %d bytes, or they differ", len(body), len(out.Payload.GetBody()))
	}
	return err
}

func TestUnary(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		serve(t, ln)
		c, _ := s.client(t, ln)
		data := randomBytes(3 << 20)
		for _, size := range []int{0, 1, 511, 512, 16 << 10, 32<<10 - 1, 32 << 10, 100_000, 3 << 20} {
			must(t, check(patient(t), c, data[:size]))
		}
	})
}

// Any size of grpc-go's read buffer will do, also none. This test uses the default Poller.
func TestReadBufferSizes(t *testing.T) {
	data := randomBytes(1 << 20)
	for _, size := range []int{0, 1, 100, 4 << 10, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			ln, err := netringgrpc.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			serve(t, ln, grpc.ReadBufferSize(size))
			c, _ := client(t, "passthrough:///"+ln.Addr().String(), netringgrpc.DialContext, grpc.WithReadBufferSize(size))
			for _, n := range []int{10, 5000, len(data)} {
				must(t, check(patient(t), c, data[:n]))
			}
		})
	}
}

// stream is a client's or a server's side of a call that streams both ways.
type stream[In, Out any] interface {
	Send(Out) error
	Recv() (In, error)
}

// echo sends back what it receives.
func echo(s stream[*grpc_testing.StreamingOutputCallRequest, *grpc_testing.StreamingOutputCallResponse]) error {
	for {
		in, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.Send(&grpc_testing.StreamingOutputCallResponse{Payload: in.Payload}); err != nil {
			return err
		}
	}
}

// A stream carries much in both directions at once.
func TestStream(t *testing.T) {
	const message = 100_003 // in no relation to any buffer's size
	data := randomBytes(1<<20 + message)
	body := func(i int) []byte {
		at := i * 7919 % (1 << 20)
		return data[at : at+message]
	}
	count := int((*streamBytes + message - 1) / message)
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		serve(t, ln)
		c, _ := s.client(t, ln)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		st, err := c.FullDuplexCall(ctx)
		must(t, err)
		sent := make(chan error, 1)
		go func() {
			for i := range count {
				in := &grpc_testing.StreamingOutputCallRequest{Payload: &grpc_testing.Payload{Body: body(i)}}
				if err := st.Send(in); err != nil {
					sent <- fmt.Errorf("message %d: %w", i, err)
					return
				}
			}
			sent <- st.CloseSend()
		}()
		for i := range count {
			out, err := st.Recv()
			must(t, err)
			if !bytes.Equal(out.Payload.GetBody(), body(i)) {
				t.Fatalf("message %d of %d came back changed", i, count)
			}
		}
		if _, err := st.Recv(); err != io.EOF {
			t.Errorf("after the last message: %v", err)
		}
		must(t, <-sent)
		t.Logf("%d bytes in each direction", count*message)
	})
}

// Connections that have been idle still work, and take little memory.
func TestIdle(t *testing.T) {
	const conns, calls = 300, 3
	// The bound is for both ends of a connection. Each end would take 32 KiB more if grpc-go
	// kept a read buffer for it, and then exceed the bound alone.
	const most = 45 << 10
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		serve(t, ln)
		clients := make([]grpc_testing.TestServiceClient, conns)
		all := func() {
			t.Helper()
			errs := make([]error, conns)
			var wg sync.WaitGroup
			for i, c := range clients {
				wg.Go(func() {
					for j := range calls {
						errs[i] = errors.Join(errs[i], check(patient(t), c, []byte{byte(i), byte(j)}))
					}
				})
			}
			wg.Wait()
			must(t, errors.Join(errs...))
		}
		before := heap()
		for i := range clients {
			clients[i], _ = s.client(t, ln)
		}
		all()
		if each := (heap() - before) / conns; runtime.GOOS == "linux" && each > most {
			t.Errorf("a connection takes %d bytes of heap; at most %d are for one without read buffers", each, most)
		} else {
			t.Logf("a connection takes %d bytes of heap", each)
		}
		all()
	})
}

// heap returns the size of the live objects.
func heap() int64 {
	for range 3 { // a sync.Pool keeps its contents for two collections
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// GracefulStop lets a call end that is under way.
func TestGracefulStop(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		server := serve(t, ln)
		c, cc := s.client(t, ln)
		ctx := patient(t)
		st, err := c.FullDuplexCall(ctx)
		must(t, err)
		exchange := func() {
			t.Helper()
			must(t, st.Send(new(grpc_testing.StreamingOutputCallRequest)))
			_, err := st.Recv()
			must(t, err)
		}
		exchange()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			server.GracefulStop()
		}()
		// The client has got GOAWAY once it leaves the state Ready.
		if !cc.WaitForStateChange(ctx, connectivity.Ready) {
			t.Fatal("the client does not learn of GracefulStop")
		}
		exchange()
		select {
		case <-stopped:
			t.Fatal("GracefulStop did not wait for the call")
		default:
		}
		must(t, st.CloseSend())
		if _, err := st.Recv(); err != io.EOF {
			t.Errorf("the call's end: %v", err)
		}
		<-stopped
		if err := check(ctx, c, nil); err == nil {
			t.Error("a call succeeds after GracefulStop")
		}
	})
}

func TestTLS(t *testing.T) {
	https := httptest.NewTLSServer(nil) // has a certificate
	https.Close()
	roots := x509.NewCertPool()
	roots.AddCert(https.Certificate())
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		serve(t, ln, grpc.Creds(credentials.NewTLS(https.TLS)))
		c, _ := s.client(t, ln, grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "example.com")))
		must(t, check(patient(t), c, randomBytes(1<<20)))
	})
}

// grpc-go gives the dialer a unix target in two forms.
func TestUnixSockets(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		t.Chdir(t.TempDir())
		absolute, err := filepath.Abs("socket")
		must(t, err)
		ln, err := s.Listen(t.Context(), "unix", absolute)
		must(t, err)
		serve(t, ln)
		for _, target := range []string{"unix:socket", "unix:" + absolute, "unix://" + absolute} {
			c, _ := client(t, target, s.DialContext)
			must(t, check(patient(t), c, randomBytes(300_000)))
		}
	})
}

// Wrap takes any listener on a socket, and wraps once.
func TestWrap(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		std, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		ln, err := s.Wrap(std)
		must(t, err)
		if again, err := s.Wrap(ln); err != nil || again != ln {
			t.Errorf("Wrap of what it returned returns %v, %v", again, err)
		}
		serve(t, ln)
		c, _ := s.client(t, ln)
		must(t, check(patient(t), c, randomBytes(1000)))
		if _, own := ln.(*netringgrpc.Listener); own == (s.engine == netring.EngineNet) {
			t.Errorf("Wrap returned a %T", ln)
		}
	})
}
