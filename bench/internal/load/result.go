package load

import "time"

// Result is what was measured in one server's turn.
type Result struct {
	Requests int64
	Elapsed  time.Duration
	P50, P99 time.Duration // latencies of requests
	CPU      time.Duration `json:",omitempty"` // of the server
	Err      string        `json:",omitempty"` // why there is no result, from a load generator's process to its parent
}

// Rate is the number of requests per second.
func (r Result) Rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// CPUMicros is the server's CPU time per request, in µs.
func (r Result) CPUMicros() float64 {
	return float64(r.CPU.Nanoseconds()) / 1e3 / float64(r.Requests)
}

// P50Micros is the median latency, in µs.
func (r Result) P50Micros() float64 { return float64(r.P50.Nanoseconds()) / 1e3 }

// P99Micros is the 99th percentile of the latencies, in µs.
func (r Result) P99Micros() float64 { return float64(r.P99.Nanoseconds()) / 1e3 }
