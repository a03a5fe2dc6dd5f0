// Package server has the servers that the benchmark measures: net/http, echo and others, on
// package net and on netring.
package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/bench/internal/child"
	"github.com/netring-go/netring/bench/internal/report"
	"github.com/netring-go/netring/bench/modes"
)

// The kinds of servers.
const (
	HTTP      = "http"
	HTTPClose = "http-close"    // answers one read on each connection, without net/http
	HTTPRaw   = "http-raw"      // answers every read, without net/http
	Timeouts  = "http-timeouts" // with all four timeouts of http.Server
	JSON      = "http-json"     // a mux, JSON, a log and all four timeouts
	FastHTTP  = "fasthttp"
	WebSocket = "websocket" // coder/websocket, echoes messages
	Redis     = "redis"     // tidwall/redcon, with one key
	Work      = "http-work"
	LightWork = "http-light-work"
	HTTPS     = "https"
	Reverse   = "reverse-proxy"
	Relay     = "relay" // forwards connections to the server at Config.Backend, and back
	GRPC      = "grpc"
	Echo      = "echo"
	Read      = "echo-4k"    // has a buffer of 4 KiB for each connection
	Lease     = "echo-lease" // waits in ReadLease, for netring's connections
	Broadcast = "broadcast"
	File      = "file"
	Proxy     = "proxy"
	Source    = "source"
	Sink      = "sink"
	Mode      = "mode" // a server of package modes, which uses no stack
)

// Config says what a server's process does.
type Config struct {
	Kind      string
	Stack     string `json:",omitempty"` // "net", or the engine of netring
	Coalesce  bool   `json:",omitempty"` // writes, with a write buffer
	Seccomp   bool   `json:",omitempty"` // behind a filter like a container's
	Reactors  int    `json:",omitempty"` // of each Poller; 0: one for each P
	Pollers   int    `json:",omitempty"` // 0: one
	Listeners int    `json:",omitempty"` // on each Poller, 0: one; several listeners share the port with SO_REUSEPORT
	File      string `json:",omitempty"` // what a File server sends
	Backend   int    `json:",omitempty"` // the port that a Relay forwards to
	Mode      string `json:",omitempty"` // of a Mode server
}

// String returns c in JSON.
func (c Config) String() string {
	b, _ := json.Marshal(c) // cannot fail: JSON has all of c's types
	return string(b)
}

// server is a running server.
type server struct {
	cfg       Config
	pollers   []*netring.Poller
	listeners []*countingListener
	failed    chan error
}

// Run is the main function of a server's process. The requests on in are SnapshotRequests; see
// package child.
func Run(config string, in io.Reader, out io.Writer) error {
	var cfg Config
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		return err
	}
	if cfg.Seccomp {
		if err := installSeccomp(); err != nil {
			return err
		}
	}
	s := &server{cfg: cfg, failed: make(chan error, 1)}
	port, err := s.start()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, port); err != nil {
		return err
	}
	go func() { s.failed <- child.Answer(in, out, s.snapshot) }()
	return <-s.failed
}

// start opens the server's port and serves it.
func (s *server) start() (port int, err error) {
	if s.cfg.Kind == Mode {
		return modes.Start(s.cfg.Mode), nil
	}
	serve, ok := serves[s.cfg.Kind]
	if !ok {
		return 0, fmt.Errorf("the kind of server is %q; use a constant of package server", s.cfg.Kind)
	}
	for range max(s.cfg.Pollers, 1) {
		st, err := s.newStack()
		if err != nil {
			return 0, err
		}
		for range max(s.cfg.Listeners, 1) {
			ln, err := st.listen.Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return 0, err
			}
			port = ln.Addr().(*net.TCPAddr).Port
			counted := &countingListener{Listener: ln}
			s.listeners = append(s.listeners, counted)
			go func() { s.failed <- serve(s, st, counted) }()
		}
	}
	return port, nil
}

// serves has the function of each kind, which serves a listener's connections until Accept fails.
var serves = map[string]func(s *server, st stack, ln net.Listener) error{
	HTTP:      func(_ *server, _ stack, ln net.Listener) error { return serveHTTP(ln) },
	Work:      func(_ *server, _ stack, ln net.Listener) error { return serveWork(ln, 128<<10) },
	LightWork: func(_ *server, _ stack, ln net.Listener) error { return serveWork(ln, 32<<10) },
	Timeouts:  func(_ *server, _ stack, ln net.Listener) error { return serveTimeouts(ln, http.HandlerFunc(hello)) },
	JSON:      func(_ *server, _ stack, ln net.Listener) error { return serveTimeouts(ln, jsonHandler()) },
	FastHTTP:  func(_ *server, _ stack, ln net.Listener) error { return serveFastHTTP(ln) },
	WebSocket: func(_ *server, _ stack, ln net.Listener) error {
		return serveTimeouts(ln, http.HandlerFunc(echoMessages))
	},
	Redis:     func(_ *server, _ stack, ln net.Listener) error { return serveRedis(ln) },
	HTTPS:     func(_ *server, _ stack, ln net.Listener) error { return serveHTTPS(ln) },
	GRPC:      func(_ *server, _ stack, ln net.Listener) error { return serveGRPC(ln) },
	Proxy:     func(_ *server, _ stack, ln net.Listener) error { return serveProxy(ln) },
	Reverse:   (*server).serveReverse,
	Relay:     (*server).serveRelay,
	HTTPRaw:   conns(func(c net.Conn) { answerReads(c, math.MaxInt) }),
	HTTPClose: conns(func(c net.Conn) { answerReads(c, 1) }),
	Echo:      conns(func(c net.Conn) { echo(c, 64<<10) }),
	Read:      conns(func(c net.Conn) { echo(c, 4<<10) }),
	Lease:     conns(echoLease),
	Source:    conns(source),
	Sink:      conns(sink),
	Broadcast: conns(new(hub).serve),
	File: func(s *server, _ stack, ln net.Listener) error {
		return serve(ln, func(c net.Conn) { sendFile(c, s.cfg.File) })
	},
}

// conns returns the function of a kind that runs f on each connection.
func conns(f func(net.Conn)) func(*server, stack, net.Listener) error {
	return func(_ *server, _ stack, ln net.Listener) error { return serve(ln, f) }
}

// SnapshotRequest asks a server for its counters.
type SnapshotRequest struct {
	Memory   bool // also for memory, after a garbage collection that gives free memory back
	Reactors int  // makes a Poller with so many reactors before
}

// snapshot answers a request.
func (s *server) snapshot(r SnapshotRequest) (c report.Counters, err error) {
	if r.Reactors > 0 {
		p, err := netring.NewPoller(netring.Config{Engine: engines[s.cfg.Stack], Reactors: r.Reactors})
		if err != nil {
			return c, err
		}
		s.pollers = append(s.pollers, p)
	}
	for _, p := range s.pollers {
		st := p.Stats()
		c.Batches += st.Batches
		c.Ops += st.Ops
	}
	for _, l := range s.listeners {
		c.Accepted = append(c.Accepted, l.n.Load())
	}
	waited := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(waited)
	c.Waited = time.Duration(waited[0].Value.Float64() * float64(time.Second))
	if !r.Memory {
		return c, nil
	}
	debug.FreeOSMemory()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	c.Heap, c.Stack, c.Goroutines = int64(ms.HeapAlloc), int64(ms.StackInuse), int64(runtime.NumGoroutine())
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return c, err
	}
	c.Descriptors = int64(len(fds))
	maps, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return c, err
	}
	_, rss, _ := bytes.Cut(maps, []byte("\nRss:"))
	_, err = fmt.Sscan(string(rss), &c.Resident)
	c.Resident <<= 10
	return c, err
}
