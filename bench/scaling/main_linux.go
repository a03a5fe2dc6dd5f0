package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/netring-go/netring/bench/internal/proc"
	"github.com/netring-go/netring/bench/internal/rounds"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("scaling: ")
	var (
		child  = flag.String("child", "", "for internal use: the server that this process is")
		rounds = flag.Int("rounds", 3, "`number` of rounds")
		dur    = flag.Duration("d", 200*time.Millisecond, "`length` of each turn")
		match  = flag.String("sections", "", "only sections whose name matches this `regexp`")
	)
	flag.Parse()
	if *child != "" {
		if err := runServer(*child, os.Stdin, os.Stdout); err != nil {
			log.Fatalf("%s: %v", *child, err)
		}
		return
	}
	re, err := regexp.Compile(*match)
	if err != nil {
		log.Fatalf("-sections: %v", err)
	}
	if *rounds < 1 || *rounds > 100 || *dur < 10*time.Millisecond || *dur > 10*time.Second {
		log.Fatalf("-rounds %d -d %v: want 1 to 100 rounds of 10ms to 10s", *rounds, *dur)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	m := &measurement{rounds: *rounds, dur: *dur, match: re, stop: interrupted, out: os.Stdout}
	if err := m.run(); err != nil {
		log.Fatal(err)
	}
}

// measurement is one invocation of the command.
type measurement struct {
	rounds int
	dur    time.Duration
	match  *regexp.Regexp
	stop   <-chan os.Signal
	out    io.Writer
}

// section is one table, or a few.
type section struct {
	name string
	run  func() error
}

func (m *measurement) run() error {
	minute, err := proc.LoadAverage()
	if err != nil {
		return err
	}
	m.printf("%d rounds of %v, Go %s, %d CPUs, load average %s before (with much above 0, requests/s tell little). Medians.\n\n",
		m.rounds, m.dur, strings.TrimPrefix(runtime.Version(), "go"), runtime.NumCPU(), minute)
	for _, s := range []section{
		{"busy", m.busyConnections},
		{"idle", m.idleConnections},
		{"rings", m.rings},
		{"reactor", m.reactorCost},
		{"listeners", m.listeners},
		{"locks", m.locks},
		{"lines", m.cacheLines},
		{"placement", m.placement},
	} {
		if !m.match.MatchString(s.name) {
			continue
		}
		if err := rounds.Interrupted(m.stop); err != nil {
			return err
		}
		if err := s.run(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// printf prints to the report. Nobody reads on if that fails.
func (m *measurement) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(m.out, format, args...); err != nil {
		log.Fatal(err)
	}
}
