// Bench compares netring with package net: it starts a server of each as a child
// process, drives them by turns from a load generator of its own, and prints
// requests per second, CPU time per request, latencies and the median ratios.
//
// The machine's speed drifts, so only interleaved runs compare: in every round
// each server gets one turn, in random order, and a ratio is the median of the
// rounds' ratios.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	var (
		child  = flag.String("child", "", "for internal use: what this process is")
		quick  = flag.Bool("quick", false, "fewer and shorter rounds: under a minute, rough figures")
		rounds = flag.Int("rounds", 9, "`number` of rounds")
		dur    = flag.Duration("d", time.Second, "`length` of each server's turn")
		impls  = flag.String("impls", "net,uring,syscall", "the `servers` to compare; ratios are to the first")
		set    = flag.String("settings", "one-core,shared", "the `settings` to measure in")
		match  = flag.String("rows", "", "only rows whose name matches this `regexp`")
	)
	flag.Parse()
	if *child != "" {
		if err := runChild(*child); err != nil {
			log.Fatalf("%s: %v", *child, err)
		}
		return
	}
	if *quick {
		*rounds, *dur = 3, 120*time.Millisecond
	}
	re, err := regexp.Compile(*match)
	if err != nil {
		log.Fatalf("-rows: %v", err)
	}
	if *rounds < 1 || *rounds > 1000 || *dur < 10*time.Millisecond || *dur > time.Minute {
		log.Fatalf("-rounds %d -d %v: want 1 to 1000 rounds of 10ms to 1m", *rounds, *dur)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	b := &bench{rounds: *rounds, dur: *dur, impls: strings.Split(*impls, ","), stop: interrupted}
	for _, s := range strings.Split(*set, ",") {
		if err := b.setting(s, re); err != nil {
			log.Fatalf("%s: %v", s, err)
		}
	}
}

// runChild is the main function of a child process: "load", or "server/IMPL/KIND".
func runChild(what string) error {
	if what == "load" {
		return runLoad(os.Stdin, os.Stdout)
	}
	part := strings.Split(what, "/")
	if len(part) != 3 || part[0] != "server" {
		return fmt.Errorf("unknown child")
	}
	return runServer(part[1], part[2], os.Stdin)
}
