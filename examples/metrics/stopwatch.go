package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// stopwatch measures requests: from the moment that a request's header has been read
// until net/http has written the response. A handler alone cannot see the latter, so the
// end comes from http.Server.ConnState.
type stopwatch struct {
	histogram prometheus.Histogram
	laps      sync.Map // net.Conn to *lap
}

// lap is the request that a connection has under way. Only the connection's goroutine
// uses it. Zero means none.
type lap struct{ since time.Time }

type lapKey struct{}

func newStopwatch() *stopwatch {
	return &stopwatch{histogram: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "http_request_duration_seconds",
		Help:    "Time from a request's header to the end of its response.",
		Buckets: prometheus.ExponentialBucketsRange(5e-6, 10, 48),
	})}
}

// connContext gives a new connection a lap. It is http.Server.ConnContext.
func (s *stopwatch) connContext(ctx context.Context, c net.Conn) context.Context {
	l := new(lap)
	s.laps.Store(c, l)
	return context.WithValue(ctx, lapKey{}, l)
}

// measure returns a handler whose requests are measured.
func (s *stopwatch) measure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Value(lapKey{}).(*lap).since = time.Now()
		next.ServeHTTP(w, r)
	})
}

// connState ends the request of a connection that has written its response, or that
// ends. It is http.Server.ConnState.
func (s *stopwatch) connState(c net.Conn, state http.ConnState) {
	if state != http.StateIdle && state != http.StateClosed {
		return
	}
	v, ok := s.laps.Load(c)
	if !ok {
		return
	}
	if l := v.(*lap); !l.since.IsZero() {
		s.histogram.Observe(time.Since(l.since).Seconds())
		l.since = time.Time{}
	}
	if state == http.StateClosed {
		s.laps.Delete(c)
	}
}

// read returns the histogram as it is now.
func (s *stopwatch) read() (*dto.Histogram, error) {
	var m dto.Metric
	if err := s.histogram.Write(&m); err != nil {
		return nil, err
	}
	return m.GetHistogram(), nil
}

// quantile estimates the q-quantile, in seconds, of what was observed between two
// readings of a histogram. It reports false if there was nothing. Values beyond the last
// bucket count as its bound.
func quantile(q float64, before, after *dto.Histogram) (seconds float64, ok bool) {
	n := after.GetSampleCount() - before.GetSampleCount()
	if n == 0 {
		return 0, false
	}
	rank := q * float64(n)
	var low, below float64
	for i, b := range after.GetBucket() {
		upTo := float64(b.GetCumulativeCount() - before.GetBucket()[i].GetCumulativeCount())
		if upTo >= rank && upTo > below {
			return low + (b.GetUpperBound()-low)*(rank-below)/(upTo-below), true
		}
		low, below = b.GetUpperBound(), upTo
	}
	return low, true
}
