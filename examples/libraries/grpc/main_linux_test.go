package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/netring-go/netring/examples/internal/exampletest"
	"github.com/netring-go/netring/examples/libraries/grpc/mirror"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// chunkSize is the size of a message's data.
const chunkSize = 256 << 10

// open opens a stream, which ends with ctx. The caller must call done.
func open(t *testing.T, ctx context.Context, addr string) (stream grpc.BidiStreamingClient[mirror.Chunk, mirror.Chunk], done func()) {
	t.Helper()
	cc, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window))
	if err != nil {
		t.Fatal(err)
	}
	stream, err = mirror.NewMirrorClient(cc).Exchange(ctx)
	if err != nil {
		cc.Close()
		t.Fatal(err)
	}
	return stream, func() {
		if err := cc.Close(); err != nil {
			t.Error(err)
		}
	}
}

// content returns the random bytes from which chunk makes chunks.
func content() []byte {
	c := make([]byte, 2*chunkSize)
	rand.NewChaCha8([32]byte{1}).Read(c)
	return c
}

// chunk returns the data of the chunk i: its number, and bytes from another place of
// content than the chunks before and after it.
func chunk(content []byte, i int) []byte {
	from := i * 4093 % chunkSize
	data := bytes.Clone(content[from : from+chunkSize])
	binary.BigEndian.PutUint64(data, uint64(i))
	return data
}

// exchange sends size bytes and checks that the same bytes come back.
func exchange(t *testing.T, addr string, size int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	stream, done := open(t, ctx, addr)
	defer done()
	content := content()
	sent := make(chan error, 1)
	go func() {
		for i := range size / chunkSize {
			if err := stream.Send(&mirror.Chunk{Data: chunk(content, i)}); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	for i := range size / chunkSize {
		got, err := stream.Recv()
		if err != nil {
			t.Fatalf("the chunk %d: %v", i, err)
		}
		if !bytes.Equal(got.GetData(), chunk(content, i)) {
			t.Fatalf("the chunk %d came back with other content", i)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last chunk: %v, want EOF", err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestExample(t *testing.T) {
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) { exchange(t, e.Addr, 16<<20) })
}

// A long stream in both directions loses and changes nothing.
func TestLongStream(t *testing.T) {
	size := 1 << 30
	if testing.Short() || raceEnabled {
		size = 64 << 20 // the race detector makes the stream ten times slower
	}
	for _, engine := range []string{"uring", "syscall"} {
		t.Run(engine, func(t *testing.T) {
			args := []string{"-engine", engine}
			e := exampletest.Start(t, exampletest.Command(t, append(args, "-addr", "127.0.0.1:0")...))
			e.CheckEngine(t, args)
			exchange(t, e.Addr, size)
			e.Stop(t, syscall.SIGTERM)
		})
	}
}

// Tools such as grpcurl can ask which services there are.
func TestReflection(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cc, err := grpc.NewClient(e.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	info, err := reflectionpb.NewServerReflectionClient(cc).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ask := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}
	if err := info.Send(ask); err != nil {
		t.Fatal(err)
	}
	answer, err := info.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range answer.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	if !slices.Contains(names, mirror.Mirror_ServiceDesc.ServiceName) {
		t.Errorf("the server offers %q", names)
	}
	if err := info.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := info.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v, want EOF", err)
	}
	e.Stop(t, syscall.SIGTERM)
}

// A stream that does not end does not keep the example from ending, which says so.
func TestStuckStream(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	stream, done := open(t, ctx, e.Addr)
	defer done()
	if err := stream.Send(&mirror.Chunk{Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	e.Signal(t, syscall.SIGTERM)
	_, stderr, err := e.End(t)
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(stderr, "deadline exceeded") {
		t.Errorf("the example ends with %v and prints %q", err, stderr)
	}
}

// A stream that is under way at SIGTERM goes on.
func TestGracefulShutdown(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	stream, done := open(t, ctx, e.Addr)
	defer done()
	for i := range 3 {
		text := fmt.Append(nil, "message ", i)
		if err := stream.Send(&mirror.Chunk{Data: text}); err != nil {
			t.Fatal(err)
		}
		if got, err := stream.Recv(); err != nil || !bytes.Equal(got.GetData(), text) {
			t.Fatalf("%q came back as %q, %v", text, got.GetData(), err)
		}
		if i == 0 {
			e.Signal(t, syscall.SIGTERM)
			e.WaitUntilRefused(t)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v, want EOF", err)
	}
	e.Wait(t)
}
