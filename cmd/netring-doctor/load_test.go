package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netring-go/netring"
)

// serveLoad calls serve with each connection that the load generator makes, and returns
// what the load generator prints.
func serveLoad(t *testing.T, serve func(c net.Conn)) (out string, err error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer c.Close()
				if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
					t.Error(err)
				}
				serve(c)
			})
		}
	})
	var b strings.Builder
	err = runLoad(fmt.Sprintf("%s,%v", ln.Addr(), 20*time.Millisecond), &b)
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	served.Wait()
	return b.String(), err
}

// The load generator counts the messages that came back.
func TestLoad(t *testing.T) {
	var echoed, conns atomic.Int64
	out, err := serveLoad(t, func(c net.Conn) {
		conns.Add(1)
		b := make([]byte, messageSize)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			echoed.Add(int64(n))
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var messages int64
	var took time.Duration
	if _, err := fmt.Sscan(out, &messages, &took); err != nil || messages*messageSize != echoed.Load() || took < 20*time.Millisecond {
		t.Errorf("it prints %q, and the server has echoed %d bytes", out, echoed.Load())
	}
	if n := conns.Load(); n != connections {
		t.Errorf("it made %d connections", n)
	}
}

// A server that does not answer is an error.
func TestLoadUnanswered(t *testing.T) {
	defer func(d time.Duration) { patience = d }(patience)
	patience = 50 * time.Millisecond
	out, err := serveLoad(t, func(c net.Conn) {
		for b := make([]byte, messageSize); ; { // until the load generator gives up
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) || out != "" {
		t.Errorf("it prints %q and returns %v", out, err)
	}
}

// A turn in which another engine has served, or nobody of netring, is an error.
func TestServedByOthers(t *testing.T) {
	for _, tc := range []struct {
		stats netring.Stats
		want  string
	}{
		{netring.Stats{Engine: netring.EngineURing}, "uring served instead of syscall"},
		{netring.Stats{Engine: netring.EngineSyscall}, "accepted 0 connections of 32"},
	} {
		s := &server{
			engine: netring.EngineSyscall,
			listen: func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
			stats:  func() netring.Stats { return tc.stats },
		}
		if _, _, err := s.serve(time.Millisecond); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want an error with %q", err, tc.want)
		}
	}
}

// A wrong job is an error that names the job.
func TestLoadJob(t *testing.T) {
	for _, job := range []string{"127.0.0.1:80", "127.0.0.1:80,soon"} {
		if err := runLoad(job, new(strings.Builder)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", job)) {
			t.Errorf("%q: %v", job, err)
		}
	}
}
