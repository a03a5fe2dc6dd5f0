package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("modes: ")
	var (
		child  = flag.String("child", "", "for internal use: what this process is")
		rounds = flag.Int("rounds", 9, "`number` of rounds")
		dur    = flag.Duration("d", 500*time.Millisecond, "`length` of each server's turn")
		conns  = flag.Int("conns", 64, "`number` of connections")
		match  = flag.String("modes", "", "only servers (SHAPE/MODE/THREAD) that match this `regexp`, and the base lines")
		set    = flag.String("settings", "one-core,shared", "the `settings` to measure in")
		report = flag.String("report", "", "write the tables to this `file`, too")
		flames = flag.String("flame", "", "record each server with perf and draw flame graphs in this `directory`")
		list   = flag.Bool("list", false, "list the servers and end")
	)
	flag.Parse()
	if *child != "" {
		if err := runChild(*child); err != nil {
			fatal(fmt.Errorf("%s: %w", *child, err))
		}
		return
	}
	re, err := regexp.Compile(*match)
	if err != nil {
		log.Fatalf("-modes: %v", err)
	}
	if *list {
		for _, v := range variants() {
			fmt.Printf("%-45s %s\n", v, v.what)
		}
		return
	}
	if *rounds < 1 || *rounds > 1000 || *dur < 10*time.Millisecond || *dur > time.Minute || *conns < 1 || *conns > maxConns {
		log.Fatalf("-rounds %d -d %v -conns %d: want 1 to 1000 rounds of 10ms to 1m, with 1 to %d connections", *rounds, *dur, *conns, maxConns)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	b := &bench{rounds: *rounds, dur: *dur, conns: *conns, match: re, flames: *flames, stop: interrupted, out: os.Stdout}
	if err := b.run(strings.Split(*set, ","), *report); err != nil {
		fatal(err)
	}
}

// fatal ends the process with an error.
func fatal(err error) {
	log.Fatal(err)
}

// run measures in each setting.
func (b *bench) run(settings []string, report string) (err error) {
	if report != "" {
		f, err := os.Create(report)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		b.out = io.MultiWriter(b.out, f)
	}
	if err := b.header(); err != nil {
		return err
	}
	for _, s := range settings {
		for _, shape := range []string{shapeLoop, shapeGoroutines} {
			if err := b.setting(s, shape); err != nil {
				return fmt.Errorf("%s, %s: %w", s, shape, err)
			}
		}
	}
	return b.legend()
}
