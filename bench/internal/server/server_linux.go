// Package server has the servers that the benchmark measures: net/http, echo and so
// on, on package net and on netring.
package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/bench/internal/child"
	"github.com/netring-go/netring/bench/modes"
)

// The kinds of servers.
const (
	HTTP      = "http"
	HTTPClose = "http-close" // answers a request on each connection, without net/http
	HTTPRaw   = "http-raw"   // answers whatever it reads, without net/http
	Work      = "http-work"
	LightWork = "http-light-work"
	HTTPS     = "https"
	Reverse   = "reverse-proxy"
	GRPC      = "grpc"
	Echo      = "echo"
	Read      = "echo-4k"    // has a buffer of 4 KiB for each connection
	Lease     = "echo-lease" // has none, for netring's connections
	Broadcast = "broadcast"
	File      = "file"
	Proxy     = "proxy"
	Source    = "source"
	Sink      = "sink"
	Mode      = "mode" // one of package modes, on no stack
)

// Config says what a server's process does.
type Config struct {
	Kind      string
	Stack     string `json:",omitempty"` // "net", or the engine of netring
	Coalesce  bool   `json:",omitempty"` // writes, with a write buffer
	Seccomp   bool   `json:",omitempty"` // behind a filter like a container's
	Reactors  int    `json:",omitempty"` // of each Poller; 0: one for each P
	Pollers   int    `json:",omitempty"` // 0: one
	Listeners int    `json:",omitempty"` // on each Poller; 0: one. More than one in all share the port with SO_REUSEPORT
	File      string `json:",omitempty"` // what a File server sends
	Mode      string `json:",omitempty"` // of a Mode server
}

// String is c in JSON.
func (c Config) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // it has nothing that JSON does not
	}
	return string(b)
}

// server is a server that runs.
type server struct {
	cfg       Config
	pollers   []*netring.Poller
	listeners []*countingListener
	failed    chan error
}

// Run is the main function of a server's process, see package child: the requests on
// in are SnapshotRequests.
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
		return 0, fmt.Errorf("unknown kind of server %q", s.cfg.Kind)
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

// serves is how each kind serves what a listener accepts, until that fails.
var serves = map[string]func(s *server, st stack, ln net.Listener) error{
	HTTP:      func(_ *server, _ stack, ln net.Listener) error { return serveHTTP(ln) },
	Work:      func(_ *server, _ stack, ln net.Listener) error { return serveWork(ln, 128<<10) },
	LightWork: func(_ *server, _ stack, ln net.Listener) error { return serveWork(ln, 32<<10) },
	HTTPS:     func(_ *server, _ stack, ln net.Listener) error { return serveHTTPS(ln) },
	GRPC:      func(_ *server, _ stack, ln net.Listener) error { return serveGRPC(ln) },
	Proxy:     func(_ *server, _ stack, ln net.Listener) error { return serveProxy(ln) },
	Reverse:   (*server).serveReverse,
	HTTPRaw:   conns(func(c net.Conn) { answerReads(c, math.MaxInt) }),
	HTTPClose: conns(func(c net.Conn) { answerReads(c, 1) }),
	Echo:      conns(func(c net.Conn) { echo(c, 64<<10) }),
	Read:      conns(func(c net.Conn) { echo(c, 4<<10) }),
	Lease:     conns(echoLease),
	Source:    conns(source),
	Sink:      conns(sink),
	Broadcast: func(_ *server, _ stack, ln net.Listener) error { return serve(ln, new(hub).serve) },
	File: func(s *server, _ stack, ln net.Listener) error {
		return serve(ln, func(c net.Conn) { sendFile(c, s.cfg.File) })
	},
}

// conns is a kind that does the same with each connection.
func conns(f func(net.Conn)) func(*server, stack, net.Listener) error {
	return func(_ *server, _ stack, ln net.Listener) error { return serve(ln, f) }
}
