// Metrics serves HTTP over netring, its own metrics for Prometheus and expvar, and a page
// that plots them live.
package main

import (
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/netring-go/netring/examples/internal/listen"
)

func main() {
	flags := listen.Register(flag.CommandLine, "127.0.0.1:8086")
	interval := flag.Duration("interval", time.Second, "`time` between two samples of the page, 10ms to 1m")
	flag.Parse()
	if err := run(flags, *interval); err != nil {
		log.Fatal(err)
	}
}

func run(flags *listen.Flags, interval time.Duration) error {
	if interval < 10*time.Millisecond || interval > time.Minute {
		return fmt.Errorf("-interval is %v; use 10ms to 1m", interval)
	}
	ln, err := flags.Listen() // netring.ListenConfig{Poller: p} in your program
	if err != nil {
		return err
	}
	srv := newServer(flags.Poller(), flags.Stats, interval)
	return flags.Run(srv, fmt.Sprintf("http://%s/ in a browser", ln.Addr()), ln)
}
