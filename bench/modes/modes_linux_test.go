package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
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

// startServer starts v, or skips the test and says what the kernel refused.
func startServer(t *testing.T, v variant) *child {
	t.Helper()
	p, err := start(v.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.end(); err != nil {
			t.Errorf("the server's end: %v", err)
		}
	})
	why, err := p.readPort()
	if err != nil {
		t.Fatal(err)
	}
	if why != "" {
		t.Skipf("%v is refused by the kernel: %s", v, why)
	}
	return p
}

// TestEveryMode has each server answer a bounded number of requests on several
// connections, some of them one after the other, and compares every byte.
func TestEveryMode(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			p := startServer(t, v)
			const clients, conns, requests = 4, 3, 20
			failed := make(chan error, clients)
			for range clients {
				go func() {
					var err error
					for range conns {
						err = errors.Join(err, requestsOnOne(p.Port, requests))
					}
					failed <- err
				}()
			}
			for range clients {
				if err := <-failed; err != nil { // in time: requestsOnOne has a deadline
					t.Error(err)
				}
			}
		})
	}
}

// requestsOnOne makes a connection and n requests on it, then hangs up.
func requestsOnOne(port, n int) (err error) {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), probeTime)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetDeadline(time.Now().Add(probeTime)); err != nil {
		return err
	}
	buf := make([]byte, len(load.Answer))
	for i := range n {
		if _, err := io.WriteString(c, load.Request); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			return fmt.Errorf("request %d of %d: %w", i+1, n, err)
		}
		if string(buf) != load.Answer {
			return fmt.Errorf("request %d of %d: a wrong answer: %q", i+1, n, buf)
		}
	}
	// Nothing more comes: an answer too many would show here.
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return err
	}
	if m, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("after the last answer: %d bytes, %v", m, err)
	}
	return nil
}

// TestManyConnections keeps more connections open than a ring mode has places for:
// the last ones are served when others have hung up.
func TestManyConnections(t *testing.T) {
	var v variant
	for _, v = range variants() {
		if v.String() == "loop/multishot-ring/unlocked" {
			break
		}
	}
	p := startServer(t, v)
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for range maxConns {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port), probeTime)
		if err != nil {
			t.Skipf("%d connections: %v", maxConns, err) // the limit of descriptors, likely
		}
		held = append(held, c)
	}
	last := make(chan error, 1)
	go func() { last <- requestsOnOne(p.Port, 1) }()
	select {
	case err := <-last:
		t.Fatalf("served beyond %d connections: %v", maxConns, err)
	case <-time.After(50 * time.Millisecond):
	}
	held[0].Close()
	if err := <-last; err != nil {
		t.Error(err)
	}
}

// TestCommand runs the whole comparison for a moment.
func TestCommand(t *testing.T) {
	var out bytes.Buffer
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	defer signal.Stop(stop)
	b := &bench{rounds: 1, dur: 20 * time.Millisecond, conns: 8, match: regexp.MustCompile("^loop/plain/"), stop: stop, out: &out}
	report := t.TempDir() + "/report.md"
	if err := b.run([]string{"shared"}, report); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != out.String() {
		t.Error("the report is not what was printed")
	}
	for _, want := range []string{"## shared, loop", "| epoll | unlocked |", "| net | any |", "| plain | locked |", "| plain | unlocked |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "goroutines") {
		t.Errorf("a shape that was not asked for in\n%s", out.String())
	}
}

func TestUnknownChild(t *testing.T) {
	if err := runChild("loop/nonsense/locked"); err == nil {
		t.Error("an unknown mode was run")
	}
}

// TestRefusal checks that a mode the kernel refuses is reported with its errno.
func TestRefusal(t *testing.T) {
	_, err := newRing(1<<30, 8, 16, 0) // no such flag
	var r *refusal
	if !errors.As(err, &r) {
		t.Fatalf("error %v is not a refusal", err)
	}
	if !strings.HasPrefix(r.Error(), "io_uring_setup: E") {
		t.Errorf("text %q", r.Error())
	}
	if refused("x", nil) != nil {
		t.Error("a refusal of nothing")
	}
	var out bytes.Buffer
	b := &bench{out: &out}
	e := &entry{variant: variants()[0], trouble: "refused by the kernel: " + r.Error()}
	if err := b.table("shared", shapeLoop, []*entry{e}); err != nil || !strings.Contains(out.String(), "refused by the kernel: io_uring_setup: E") {
		t.Errorf("%v, table\n%s", err, out.String())
	}
}

func TestKnown(t *testing.T) {
	if known(math.NaN()) != "–" || known(1.234) != "1.23" {
		t.Errorf("%q, %q", known(math.NaN()), known(1.234))
	}
}

const perfScript = "modes 1234 \n" +
	"\tffffffff81000130 tcp_sendmsg+0x10 ([kernel.kallsyms])\n" +
	"\t          47a3c0 main.<serve>+0x2a (/x/modes)\n" +
	"\n" +
	"modes 1234 \n" +
	"\t          47a3c0 main.<serve>+0x4 (/x/modes)\n" +
	"\n"

func TestFlameGraph(t *testing.T) {
	root := fold(perfScript)
	if root.samples != 2 || len(root.children) != 1 {
		t.Fatalf("%+v", root)
	}
	serve := root.child("modes 1234", false).child("main.<serve>", false)
	if serve.samples != 2 || serve.kernel {
		t.Errorf("%+v", serve)
	}
	if send := serve.child("tcp_sendmsg", true); send.samples != 1 || !send.kernel {
		t.Errorf("%+v", send)
	}
	var out bytes.Buffer
	if err := drawFlame(&out, "a & b", root); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<title>main.&lt;serve&gt;: 2 samples, 100.00 %</title>", "<title>tcp_sendmsg: 1 samples, 50.00 %</title>", "a &amp; b"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for d := xml.NewDecoder(&out); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
