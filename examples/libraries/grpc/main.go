// Grpc serves a stream in both directions with grpc-go over netring.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"

	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"

	"github.com/netring-go/netring/examples/internal/listen"
	"github.com/netring-go/netring/examples/libraries/grpc/mirror"
)

// window is how many bytes a client may send ahead. With grpc-go's default of 64 KiB, a
// stream of large messages waits for its peer more often than for the network.
const window = 1 << 20

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:50051")
	flag.Parse()
	if err := run(flags); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags) error {
	ln, err := flags.Listen() // netring.Listen("tcp", addr) in your program
	if err != nil {
		return err
	}
	srv := server{grpc.NewServer(grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window))}
	mirror.RegisterMirrorServer(srv, service{})
	reflection.Register(srv) // tells tools such as grpcurl what the server offers
	return flags.Run(srv, fmt.Sprintf(`grpcurl -plaintext -d '{"data":"aGVsbG8="}' %s netring.examples.mirror.Mirror/Exchange`, ln.Addr()), ln)
}

// service implements the service Mirror.
type service struct {
	mirror.UnimplementedMirrorServer
}

// Exchange implements mirror.MirrorServer.
func (service) Exchange(stream grpc.BidiStreamingServer[mirror.Chunk, mirror.Chunk]) error {
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(chunk); err != nil {
			return err
		}
	}
}

// server is a grpc.Server with the Shutdown of net/http.
type server struct{ *grpc.Server }

// Shutdown lets the calls under way end, until ctx is done. Then it ends them.
func (s server) Shutdown(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.Stop)()
	s.GracefulStop()
	return ctx.Err()
}
