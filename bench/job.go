package main

import (
	"time"

	"github.com/netring-go/netring/bench/internal/load"
)

// The kinds of load.
const (
	loadHTTP      = "http"      // requests on connections that are kept
	loadPaced     = "paced"     // the same, at random times
	loadClose     = "close"     // a connection for each request
	loadTLS       = "https"     // loadHTTP over TLS
	loadGRPC      = "grpc"      // calls
	loadEcho      = "echo"      // messages of Size bytes
	loadBroadcast = "broadcast" // messages that the server sends to everybody
	loadFile      = "file"      // bytes from the server, content unknown
	loadSource    = "source"    // bytes from the server
	loadSink      = "sink"      // bytes to the server
	loadProxy     = "proxy"     // bytes through the server
	loadHold      = "hold"      // connections that do nothing
	loadFair      = "fair"      // quiet connections beside one that floods
)

// loadJob is what the parent asks of the load generator: keep Conns connections
// to a server busy for a while, each with one message under way at a time if the
// kind of load does not say otherwise.
type loadJob struct {
	Kind     string
	Port     int
	PID      int // of the server
	Conns    int
	Idle     int // connections beside them that make one request, then none
	Size     int // bytes of an echo message
	Pipeline int // HTTP requests sent together; 0 means 1
	Rate     int // of loadPaced: requests per second
	Warmup   time.Duration
	Duration time.Duration
}

// loadResult is the answer.
type loadResult struct {
	load.Result

	// Of loadFair only: the latencies without the flood, and how much was echoed to it.
	AloneP50, AloneP99 time.Duration `json:",omitempty"`
	FloodBytes         int64         `json:",omitempty"`

	// Of loadHold only: the server's resident memory before and after Requests
	// connections were made, filled in by the parent.
	RSSBefore, RSSAfter int64 `json:",omitempty"`
}

// In a loadHold job, the load generator prints a mark, as a line of its own, before
// and after it makes the connections, and waits for a line then: the parent asks the
// server for its memory.
const (
	markStart = `"start"`
	markEnd   = `"end"`
)
