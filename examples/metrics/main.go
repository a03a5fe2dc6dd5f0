// Metrics serves HTTP over netring, its own metrics for Prometheus and expvar, and a page
// that plots them live.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/netring-go/netring"
	netringexpvar "github.com/netring-go/netring/integrations/expvar"
)

func main() {
	var engine netring.Engine
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	interval := flag.Duration("interval", time.Second, "`time` between two samples of the page, 10ms to 1m")
	flag.TextVar(&engine, "engine", netring.EngineAuto, "auto, uring, syscall or net: how netring reaches the kernel")
	flag.Parse()
	if err := run(*addr, engine, *interval); err != nil {
		log.Fatal(err)
	}
}

func run(addr string, engine netring.Engine, interval time.Duration) error {
	if interval < 10*time.Millisecond || interval > time.Minute {
		return fmt.Errorf("-interval is %v; use 10ms to 1m", interval)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	p, err := netring.NewPoller(netring.Config{Engine: engine})
	if err != nil {
		return err
	}
	lc := netring.ListenConfig{Poller: p}
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return errors.Join(err, p.Close())
	}
	s := p.Stats()
	what := s.Engine.String()
	if s.EngineReason != "" {
		what += " (" + s.EngineReason + ")"
	}
	fmt.Printf("listening on http://%s/ with engine %s\n", ln.Addr(), what)
	netringexpvar.Publish("netring", p)
	if err := errors.Join(serve(ctx, newServer(p, interval), ln), p.Close()); err != nil {
		return err
	}
	fmt.Println("shut down")
	return nil
}

// serve serves until ctx is done. The requests under way then have 5 s to end.
func serve(ctx context.Context, srv *http.Server, ln net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := srv.Shutdown(grace)
	if serr := <-served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}
