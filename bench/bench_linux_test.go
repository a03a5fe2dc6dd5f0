package main

import (
	"math"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the child processes that a bench starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-child" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestEveryRow runs every workload for a moment against every server: the load
// generator checks the answers.
func TestEveryRow(t *testing.T) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	defer signal.Stop(stop)
	b := &bench{rounds: 1, dur: 20 * time.Millisecond, impls: []string{"net", "uring", "syscall"}, stop: stop}
	if err := b.setting("shared", regexp.MustCompile("")); err != nil {
		if strings.Contains(err.Error(), "did not start") {
			t.Skipf("io_uring is refused here: %v", err)
		}
		t.Fatal(err)
	}
}

func TestMedianAndRatio(t *testing.T) {
	res := func(requests int64) loadResult { return loadResult{Requests: requests, Elapsed: time.Second} }
	a := []loadResult{res(100), res(400), res(200)}
	b := []loadResult{res(50), res(100), res(400)}
	if m := median(a, rate); m != 200 {
		t.Errorf("median %v", m)
	}
	if m := median(a[:2], rate); m != 250 {
		t.Errorf("median of two %v", m)
	}
	if r := ratio(a, b, rate); r != 2 { // of 2, 4 and 0.5
		t.Errorf("ratio %v", r)
	}
}

func TestCheckHTTP(t *testing.T) {
	good := "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
	var l loader
	if err := l.checkHTTP([]byte(good)); err != nil || l.reply != len(good) {
		t.Errorf("%v, length %d, want %d", err, l.reply, len(good))
	}
	for _, bad := range []string{"HTTP/1.1 500 no\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"} {
		var l loader
		if err := l.checkHTTP([]byte(bad)); err == nil {
			t.Errorf("%q was taken for an answer", bad)
		}
	}
}

// TestLoadGeneratorCounts runs a job against a server whose process time is
// known to grow.
func TestLoadGeneratorCounts(t *testing.T) {
	server, err := start("server/net/http", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer server.end()
	load, err := start("load", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer load.end()
	if err := server.readPort(); err != nil {
		t.Fatal(err)
	}
	res, err := turn(load, server, loadJob{Conns: 4, Warmup: time.Millisecond, Duration: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if res.Requests < 10 || res.CPU <= 0 || res.P50 <= 0 || res.P99 < res.P50 || math.Abs(res.Elapsed.Seconds()-0.05) > 0.05 {
		t.Errorf("%+v", res)
	}
}
