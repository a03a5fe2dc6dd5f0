package load

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// try runs a small Job against a server that does serve with each connection.
func try(t *testing.T, fresh bool, serve func(net.Conn)) (Result, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return Job{
		Port: ln.Addr().(*net.TCPAddr).Port, PID: os.Getpid(), Conns: 3, Fresh: fresh,
		Warmup: 10 * time.Millisecond, Duration: 30 * time.Millisecond,
	}.Run()
}

func TestJob(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		res, err := try(t, fresh, func(c net.Conn) { AnswerReads(c, 1024) })
		if err != nil {
			t.Fatalf("fresh %v: %v", fresh, err)
		}
		if res.Requests == 0 || res.Elapsed < 30*time.Millisecond || res.CPU <= 0 || res.P50 <= 0 || res.P99 < res.P50 {
			t.Errorf("fresh %v: %+v", fresh, res)
		}
		if res.Rate() <= 0 || res.CPUMicros() <= 0 || res.P99Micros() < res.P50Micros() {
			t.Errorf("fresh %v: figures of %+v", fresh, res)
		}
	}
}

// TestJobNotices has servers that answer wrongly.
func TestJobNotices(t *testing.T) {
	for _, tt := range []struct{ answer, want string }{
		{strings.Replace(Answer, "World", "world", 1), "a wrong answer"},
		{Answer + "!", "a wrong answer"},
		{"", "closed a connection"},
	} {
		_, err := try(t, false, func(c net.Conn) {
			defer c.Close()
			if _, err := c.Read(make([]byte, 1024)); err != nil {
				return
			}
			_, _ = c.Write([]byte(tt.answer)) // the peer tells
		})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.answer, err, tt.want)
		}
	}
}
