// Fasthttp serves HTTP with valyala/fasthttp over netring.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/netring-go/netring/examples/internal/listen"
)

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:8083")
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
	srv := server{&fasthttp.Server{
		Handler:         handle,
		ReadTimeout:     10 * time.Second,
		CloseOnShutdown: true, // tells clients with a request under way
	}}
	return flags.Run(srv, fmt.Sprintf("curl -fsS -d hello http://%s/", ln.Addr()), ln)
}

// server is a fasthttp.Server with the Shutdown of net/http.
type server struct{ *fasthttp.Server }

func (s server) Shutdown(ctx context.Context) error { return s.ShutdownWithContext(ctx) }

// handle returns the request's body, or a greeting if there is none.
func handle(ctx *fasthttp.RequestCtx) {
	if body := ctx.PostBody(); len(body) > 0 {
		ctx.SetBody(body)
		return
	}
	ctx.SetBodyString("Hello, World!\n")
}
