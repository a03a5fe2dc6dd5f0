// Package load is the load generator. It keeps connections to a server busy for a while, checks
// the answers and measures. To use little CPU time, it is one thread with an epoll loop. Only
// HTTPS and gRPC use goroutines.
package load

import (
	"encoding/binary"
	"time"
)

// The kinds of load.
const (
	HTTP      = "http"      // requests
	Raw       = "raw"       // requests to a server that answers any read with RawAnswer
	HTTPS     = "https"     // requests over TLS
	WebSocket = "websocket" // WebSocket messages of Size bytes, less than 64 KiB and at least 126
	Redis     = "redis"     // GET commands
	GRPC      = "grpc"      // calls
	Echo      = "echo"      // messages of Size bytes
	Fair      = "fair"      // messages of Size bytes at fixed times, beside a connection that floods
	Broadcast = "broadcast" // messages that the server sends to all connections
	File      = "file"      // bytes from the server, of unknown content
	Source    = "source"    // bytes from the server
	Sink      = "sink"      // bytes to the server
	Proxy     = "proxy"     // bytes through the server, which takes connections in pairs
	Hold      = "hold"      // Idle connections, which stay open until the next job
)

// Job is a load on one server. Each connection has one message under way at a time, unless the
// kind of load says otherwise.
type Job struct {
	Kind     string
	Port     int
	PID      int // of the server, whose CPU time is measured
	Conns    int
	Idle     int  // further connections, which make one request each
	Size     int  // of a message, in bytes
	JSON     bool // of HTTP: the body of answers is JSONBody
	Pipeline int  // requests that are sent together; 0 means 1
	Rate     int  // of Fair: messages per second, at regular times; of HTTP: requests per second, at random times (0: no limit)
	Regular  bool // of HTTP with a Rate: at regular times
	Fresh    bool // of HTTP and Raw: each request has its own connection, which the server closes
	Keep     bool // keeps the connections of the Hold job before it
	Warmup   time.Duration
	Duration time.Duration
}

// Result is what was measured.
type Result struct {
	Requests int64
	Elapsed  time.Duration
	P50, P99 time.Duration // latencies of requests
	P999     time.Duration // the 99.9th percentile
	CPU      time.Duration `json:",omitempty"` // of the server

	// Of Fair: the latencies without the flood, and the bytes of the flood that came back.
	AloneP50, AloneP99 time.Duration `json:",omitempty"`
	FloodBytes         int64         `json:",omitempty"`
}

const (
	// Request is a client's request to an HTTP server, and Body the body of the answer.
	Request = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
	Body    = "Hello, World!\n"

	// JSONBody is the body of a server's answer that encodes JSON.
	JSONBody = `{"message":"Hello, World!"}` + "\n"

	// lastRequest is a Request after which the server closes the connection.
	lastRequest = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"

	// RawAnswer is the answer of a server that does not parse requests.
	RawAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + Body

	// redisRequest and redisAnswer are a command and its answer in the protocol of Redis.
	redisRequest = "*2\r\n$3\r\nGET\r\n$8\r\ngreeting\r\n"
	redisAnswer  = "$14\r\n" + Body + "\r\n"

	// BroadcastSize is the length of a hub's messages. Greeting is the byte that a hub sends
	// to a client when it is subscribed.
	BroadcastSize = 100
	Greeting      = '!'

	// StreamSize is how many bytes go over a connection of File, Source and Sink. PatternSize
	// is their period, and MiB counts as a request.
	StreamSize  = 1 << 30
	MiB         = 1 << 20
	PatternSize = 64 << 10

	// SinkFailed is a sink's answer if what arrived was not Pattern. Otherwise the answer is the
	// number of bytes. A sink sends its answer in 8 bytes, little-endian, when the client has
	// half-closed the connection.
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
