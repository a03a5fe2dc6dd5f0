package main

import (
	"bytes"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/netring-go/netring/bench/internal/proc"
)

// forger is a connection whose writes are changed on the way.
type forger struct {
	net.Conn
	forge   func(p []byte, before int) []byte // before is how many bytes were written before p
	written int
}

func (f *forger) Write(p []byte) (int, error) {
	forged := f.forge(bytes.Clone(p), f.written)
	f.written += len(p)
	if _, err := f.Conn.Write(forged); err != nil {
		return 0, err
	}
	return len(p), nil
}

// forgedListener accepts forgers.
type forgedListener struct {
	net.Listener
	forge func(p []byte, before int) []byte
}

func (l forgedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &forger{Conn: c, forge: l.forge}, nil
}

// TestLoadGeneratorNotices runs jobs against servers that answer wrongly after a
// while.
func TestLoadGeneratorNotices(t *testing.T) {
	// flipAt changes a byte of each piece that is sent after so many bytes: the one at
	// the index, or the last.
	flipAt := func(index, after int) func([]byte, int) []byte {
		return func(p []byte, before int) []byte {
			if before >= after {
				p[min(index, len(p)-1)] ^= 1
			}
			return p
		}
	}
	flip := func(after int) func([]byte, int) []byte { return flipAt(3, after) }
	status := func(p []byte, _ int) []byte { return bytes.Replace(p, []byte("200 OK"), []byte("500 no"), 1) }
	body := func(p []byte, _ int) []byte { return bytes.Replace(p, []byte("World"), []byte("world"), 1) }
	longer := func(p []byte, before int) []byte {
		if before > 0 {
			p = append(p, '!')
		}
		return p
	}
	short := func(p []byte, _ int) []byte { return p[:len(p)-1] }
	echo64 := func(c net.Conn) { echo(c, 64<<10) }
	over := func(f func(net.Conn)) func(net.Listener) error {
		return func(ln net.Listener) error { return serve(ln, f) }
	}
	for _, tt := range []struct {
		name  string
		job   loadJob
		serve func(net.Listener) error
		forge func(p []byte, before int) []byte
		want  string
	}{
		{"echo of a wrong byte", loadJob{Kind: loadEcho, Size: 128, Conns: 4}, over(echo64), flip(12800), "wrong bytes"},
		{"long echo", loadJob{Kind: loadEcho, Size: 128, Conns: 4}, over(echo64), longer, "wrong bytes"},
		{"another status", loadJob{Kind: loadHTTP, Conns: 4}, serveHTTP, status, "not a good answer"},
		{"another body", loadJob{Kind: loadHTTP, Conns: 4}, serveHTTP, body, "not the body"},
		{"another body, pipelined", loadJob{Kind: loadHTTP, Conns: 4, Pipeline: 16}, serveHTTP, body, "not the body"},
		{"another body, at random times", loadJob{Kind: loadPaced, Conns: 4, Rate: 2000}, serveHTTP, body, "not the body"},
		{"another body, then closed", loadJob{Kind: loadClose, Conns: 4}, serveHTTP, body, "not the body"},
		{"a short body, then closed", loadJob{Kind: loadClose, Conns: 4}, serveHTTP, short, "after"},
		{"a byte of a broadcast", loadJob{Kind: loadBroadcast, Conns: 8}, over(new(hub).serve), flip(1 + broadcastSize), "wrong bytes"},
		{"a byte of the source", loadJob{Kind: loadSource, Conns: 1}, over(source), flip(2 * patternSize), "wrong bytes"},
		{"the sink's count", loadJob{Kind: loadSink, Conns: 1}, over(sink), flip(0), "the sink received"},
		{"a byte of a TLS record", loadJob{Kind: loadTLS, Conns: 4}, serveTLS, flipAt(math.MaxInt, 2500), "bad record MAC"},
		{"a byte of a call's answer", loadJob{Kind: loadGRPC, Conns: 2}, serveGRPC, flip(1000), "connection "},
		{"a byte of the flood", loadJob{Kind: loadFair, Size: 128, Conns: 2}, over(echo64), flip(64 << 10), "wrong bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tryJob(t, tt.job, tt.serve, tt.forge)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			honest := func(p []byte, _ int) []byte { return p }
			if _, err := tryJob(t, tt.job, tt.serve, honest); err != nil {
				t.Errorf("unchanged: %v", err)
			}
		})
	}
}

// TestPacedLatency has a server that takes five times as long for a request as there
// is between two of them: a latency counts from when its request was due.
func TestPacedLatency(t *testing.T) {
	const each = 5 * time.Millisecond
	slow := func(p []byte, _ int) []byte {
		time.Sleep(each)
		return p
	}
	res, err := tryJob(t, loadJob{Kind: loadPaced, Conns: 1, Rate: int(5 * time.Second / each)}, serveHTTP, slow)
	if err != nil {
		t.Fatal(err)
	}
	if res.P50 < 2*each {
		t.Errorf("a median of %v, where each request takes %v and waits for its predecessors", res.P50, each)
	}
	if most := int64(res.Elapsed/each) + 1; res.Requests > most {
		t.Errorf("%d requests in %v, %v each", res.Requests, res.Elapsed, each)
	}
}

// tryJob runs a job against a server in this process, over connections whose
// writes are forged.
func tryJob(t *testing.T, job loadJob, serve func(net.Listener) error, forge func([]byte, int) []byte) (loadResult, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = serve(forgedListener{ln, forge}) // which the listener's Close ends
	}()
	defer func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	}()
	cmd, err := proc.Self("load")
	if err != nil {
		t.Fatal(err)
	}
	load, err := start(cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := load.end(); err != nil {
			t.Error(err)
		}
	}()
	server := &child{Child: &proc.Child{PID: os.Getpid(), Port: ln.Addr().(*net.TCPAddr).Port}}
	job.Warmup, job.Duration = 20*time.Millisecond, 50*time.Millisecond
	return turn(load, server, job)
}
