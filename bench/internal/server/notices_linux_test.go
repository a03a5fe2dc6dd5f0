package server

import (
	"bytes"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// forgery changes p, which a connection writes after before bytes.
type forgery func(p []byte, before int) []byte

// forger is a connection that writes what forge returns.
type forger struct {
	net.Conn
	forge   forgery
	written int
}

func (f *forger) Write(p []byte) (int, error) {
	forged := f.forge(bytes.Clone(p), f.written)
	f.written += len(p)
	_, err := f.Conn.Write(forged)
	return len(p), err
}

// forgedListener accepts forgers.
type forgedListener struct {
	net.Listener
	forge forgery
}

func (l forgedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &forger{Conn: c, forge: l.forge}, err
}

// try runs a job against a server in this process, over forgers.
func try(t *testing.T, job load.Job, serve func(net.Listener) error, forge forgery) (load.Result, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- serve(forgedListener{ln, forge}) }()
	defer func() {
		ln.Close()
		<-ended
	}()
	job.Port, job.PID = ln.Addr().(*net.TCPAddr).Port, os.Getpid()
	job.Warmup, job.Duration = 20*time.Millisecond, 50*time.Millisecond
	return job.Run()
}

// TestLoadGeneratorNotices runs jobs against servers whose answers become wrong.
func TestLoadGeneratorNotices(t *testing.T) {
	// flipAt changes the byte at index, or the last, of each piece after so many bytes.
	flipAt := func(index, after int) forgery {
		return func(p []byte, before int) []byte {
			if before >= after {
				p[min(index, len(p)-1)] ^= 1
			}
			return p
		}
	}
	flip := func(after int) forgery { return flipAt(3, after) }
	status := func(p []byte, _ int) []byte { return bytes.Replace(p, []byte("200 OK"), []byte("500 no"), 1) }
	body := func(p []byte, _ int) []byte { return bytes.Replace(p, []byte("World"), []byte("world"), 1) }
	longer := func(p []byte, before int) []byte { return append(p, "!"[:min(before, 1)]...) }
	short := func(p []byte, _ int) []byte { return p[:len(p)-1] }
	over := func(f func(net.Conn)) func(net.Listener) error {
		return func(ln net.Listener) error { return serve(ln, f) }
	}
	echo64 := over(func(c net.Conn) { echo(c, 64<<10) })
	raw := func(n int) func(net.Listener) error { return over(func(c net.Conn) { answerReads(c, n) }) }
	// A hub for each run, as each turn of the benchmark has: a hub sends what a sender has left behind
	// to whoever connects next.
	broadcasts := func(ln net.Listener) error { return serve(ln, new(hub).serve) }
	for _, tt := range []struct {
		name  string
		job   load.Job
		serve func(net.Listener) error
		forge forgery
		want  string
	}{
		{"echo of a wrong byte", load.Job{Kind: load.Echo, Size: 128, Conns: 4}, echo64, flip(12800), "wrong bytes"},
		{"long echo", load.Job{Kind: load.Echo, Size: 128, Conns: 4}, echo64, longer, "wrong bytes"},
		{"another status", load.Job{Kind: load.HTTP, Conns: 4}, serveHTTP, status, "wrong bytes"},
		{"another body", load.Job{Kind: load.HTTP, Conns: 4}, serveHTTP, body, "wrong bytes"},
		{"another body, pipelined", load.Job{Kind: load.HTTP, Conns: 4, Pipeline: 16}, serveHTTP, body, "wrong bytes"},
		{"another body, at random times", load.Job{Kind: load.HTTP, Conns: 4, Rate: 2000}, serveHTTP, body, "wrong bytes"},
		{"another body, then closed", load.Job{Kind: load.HTTP, Conns: 4, Fresh: true}, serveHTTP, body, "wrong bytes"},
		{"a short body, then closed", load.Job{Kind: load.HTTP, Conns: 4, Fresh: true}, serveHTTP, short, "closed a connection after"},
		{"a raw answer", load.Job{Kind: load.Raw, Conns: 4}, raw(math.MaxInt), flip(1000), "wrong bytes"},
		{"a raw answer, then closed", load.Job{Kind: load.Raw, Conns: 4, Fresh: true}, raw(1), flip(0), "wrong bytes"},
		{"a byte of a broadcast", load.Job{Kind: load.Broadcast, Conns: 8}, broadcasts, flip(1 + load.BroadcastSize), "wrong bytes"},
		{"a byte of the source", load.Job{Kind: load.Source, Conns: 1}, over(source), flip(2 * load.PatternSize), "wrong bytes"},
		{"the sink's count", load.Job{Kind: load.Sink, Conns: 1}, over(sink), flip(0), "the sink received"},
		{"a byte of a TLS record", load.Job{Kind: load.HTTPS, Conns: 4}, serveHTTPS, flipAt(math.MaxInt, 2500), "bad record MAC"},
		{"a byte of a call's answer", load.Job{Kind: load.GRPC, Conns: 2}, serveGRPC, flip(1000), "connection "},
		{"a byte of the flood", load.Job{Kind: load.Fair, Size: 128, Conns: 2, Rate: 1000}, echo64, flip(64 << 10), "wrong bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := try(t, tt.job, tt.serve, tt.forge)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			honest := func(p []byte, _ int) []byte { return p }
			if res, err := try(t, tt.job, tt.serve, honest); err != nil || res.Requests == 0 || res.CPU <= 0 || res.P99 < res.P50 {
				t.Errorf("unchanged: %+v, %v", res, err)
			}
		})
	}
}

// TestPacedLatency has requests due five times as often as the server answers: their latencies count
// from when they were due.
func TestPacedLatency(t *testing.T) {
	const each = 5 * time.Millisecond
	slow := func(p []byte, _ int) []byte {
		time.Sleep(each)
		return p
	}
	res, err := try(t, load.Job{Kind: load.HTTP, Conns: 1, Rate: int(5 * time.Second / each)}, serveHTTP, slow)
	if err != nil {
		t.Fatal(err)
	}
	if res.P50 < 2*each {
		t.Errorf("the median is %v, but each request takes %v and waits for the requests before it", res.P50, each)
	}
	if most := int64(res.Elapsed/each) + 1; res.Requests > most {
		t.Errorf("%d requests in %v, %v each", res.Requests, res.Elapsed, each)
	}
}
