// Package load is the load generator: it keeps connections to a server busy for a
// while, compares what it receives with what it should be, and measures. It is one
// thread with an epoll loop that makes system calls by itself, to load the machine as
// little as possible; only HTTPS and gRPC have goroutines.
package load

import (
	"encoding/binary"
	"time"
)

// The kinds of load.
const (
	HTTP      = "http"      // requests
	Raw       = "raw"       // requests to a server that gives RawAnswer whatever it reads
	HTTPS     = "https"     // requests over TLS
	GRPC      = "grpc"      // calls
	Echo      = "echo"      // messages of Size bytes
	Fair      = "fair"      // the same at fixed times, beside a connection that floods
	Broadcast = "broadcast" // messages that the server sends to everybody
	File      = "file"      // bytes from the server, content unknown
	Source    = "source"    // bytes from the server
	Sink      = "sink"      // bytes to the server
	Proxy     = "proxy"     // bytes through the server, which takes connections in pairs
	Hold      = "hold"      // Idle connections, which stay until the next job
)

// Job is a load on one server, each connection with one message under way at a time if
// the kind of load does not say otherwise.
type Job struct {
	Kind     string
	Port     int
	PID      int // of the server, whose CPU time is measured
	Conns    int
	Idle     int  // connections beside them that make one request, then none
	Size     int  // of a message, in bytes
	Pipeline int  // requests that are sent together; 0 means 1
	Rate     int  // of HTTP and Fair: how many are sent per second, at random and at regular times; 0: as many as there can be
	Fresh    bool // of HTTP and Raw: each request on a connection of its own, which the server closes
	Keep     bool // the connections of the Hold job before it
	Warmup   time.Duration
	Duration time.Duration
}

// Result is what was measured.
type Result struct {
	Requests int64
	Elapsed  time.Duration
	P50, P99 time.Duration // latencies of requests
	CPU      time.Duration `json:",omitempty"` // of the server

	// Of Fair only: the latencies without the flood, and how much was echoed to it.
	AloneP50, AloneP99 time.Duration `json:",omitempty"`
	FloodBytes         int64         `json:",omitempty"`
}

const (
	// Request is what a client asks of an HTTP server, and Body the body of the answer.
	Request = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
	Body    = "Hello, World!\n"

	// lastRequest is a Request after which the server closes the connection.
	lastRequest = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"

	// RawAnswer is the answer of a server that does not look at requests.
	RawAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + Body

	// BroadcastSize is the length of a message that a hub sends to everybody, and
	// Greeting the byte with which it tells a client that it is subscribed.
	BroadcastSize = 100
	Greeting      = '!'

	// StreamSize is how many bytes go over a connection of File, Source and Sink, MiB
	// what counts as a request, and PatternSize the period of what they consist of.
	StreamSize  = 1 << 30
	MiB         = 1 << 20
	PatternSize = 64 << 10

	// SinkFailed is a sink's receipt if what arrived was not the pattern. Otherwise
	// it is the number of bytes. It is sent as 8 bytes, little-endian, after the
	// client has half-closed the connection.
	SinkFailed = 1<<64 - 1
)

// Pattern returns PatternSize bytes, no eight of which are equal to another eight.
func Pattern() []byte {
	p := make([]byte, PatternSize)
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], uint64(i)*0x9e3779b97f4a7c15+1)
	}
	return p
}
