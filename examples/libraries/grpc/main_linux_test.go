package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

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
