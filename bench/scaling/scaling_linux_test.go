package main

import (
	"bytes"
	"os"
	"os/signal"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the child processes.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-child" {
		main()
		return
	}
	// A child that is built with the race detector would sleep for a second at its
	// end, so that other threads can report. None of its threads has anything left.
	if err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=10"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestSections runs each section that does not take thousands of connections for a
// moment. The load checks the answers.
func TestSections(t *testing.T) {
	p, err := start(serverConfig{Impl: "uring"})
	if err != nil {
		t.Skipf("io_uring is refused here: %v", err)
	}
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	defer signal.Stop(stop)
	var out bytes.Buffer
	m := &measurement{rounds: 1, dur: 20 * time.Millisecond, match: regexp.MustCompile("rings|reactor|listeners|locks|lines|placement"), stop: stop, out: &out}
	if err := m.run(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 256 | 16 |", "| uring | 2 | 2 |", "`handoff.mu`", "slotTable.mu | look up", "| 64 | 16384 |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestParseContention(t *testing.T) {
	profile := "--- mutex:\ncycles/second=2000000000\nsampling period=1\n" +
		"1000000000 3 @ 0x1 0x2 0x3\n" +
		"#\t0x1\tsync.(*Mutex).Unlock+0x5d\t\t/x/mutex.go:65\n" +
		"#\t0x2\tgithub.com/netring-go/netring/reactor.(*handoff).push+0x2\t/x/handoff.go:4\n" +
		"#\t0x3\tgithub.com/netring-go/netring/reactor.(*Reactor).submit+0x3\t/x/reactor.go:5\n\n"
	sites, err := parseContention(profile)
	want := []lockSite{{"github.com/netring-go/netring/reactor.(*handoff).push", 3, 0.5}}
	if err != nil || !reflect.DeepEqual(sites, want) {
		t.Fatalf("%+v, %v", sites, err)
	}
	if name := lockName(sites[0].Function); name != "handoff.mu" {
		t.Errorf("lock %q", name)
	}
}

func TestLines(t *testing.T) {
	type Inner struct{ A, B uint64 }
	type outer struct {
		X uint64
		Inner
		_ [40]byte
		Y uint64
	}
	want := []line{{0, []string{"`X`", "`Inner.A`"}}, {1, []string{"`Y`"}}}
	if got := lines(reflect.TypeFor[outer](), []string{"X", "Y", "Inner.A"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestBusiest(t *testing.T) {
	if b := busiest(4, 64, 1, func() float64 { return 1 }); b != 1 {
		t.Errorf("equal connections: %v", b)
	}
	n := 0
	first := func() float64 { n++; return map[bool]float64{true: 1}[n == 1] }
	if b := busiest(4, 64, 1, first); b != 4 {
		t.Errorf("one connection only: %v", b)
	}
}
