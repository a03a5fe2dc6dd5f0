package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/netring-go/netring"
)

// feed sends samples to the page, as server-sent events. Each stream counts for itself,
// and sees what happened since it started.
type feed struct {
	stats    func() netring.Stats
	times    *stopwatch
	interval time.Duration
}

// started is the first event, called "start".
type started struct {
	Engine   netring.Engine `json:"engine"`
	Reason   string         `json:"reason"`
	Seconds  float64        `json:"seconds"` // between samples
	Limits   []int          `json:"limits"`  // the largest size of each class; 0 means no limit
	Counting bool           `json:"counting"`
}

// sample is what happened since the last sample, or since the start.
type sample struct {
	At          int64    `json:"at"` // Unix time in ms
	Seconds     float64  `json:"seconds"`
	Requests    uint64   `json:"requests"`
	P50         *float64 `json:"p50"` // seconds; null without requests
	P99         *float64 `json:"p99"`
	Connections int      `json:"connections"` // now
	BytesIn     uint64   `json:"in"`
	BytesOut    uint64   `json:"out"`
	Batches     uint64   `json:"batches"`
	Sizes       []uint64 `json:"sizes"` // batches, by class of size
	Ops         uint64   `json:"ops"`   // in batches
	Direct      uint64   `json:"direct"`
}

// reading is the counters at a time.
type reading struct {
	at    time.Time
	stats netring.Stats
	times *dto.Histogram
}

func (f *feed) read() (reading, error) {
	times, err := f.times.read()
	return reading{time.Now(), f.stats(), times}, err
}

// since returns the sample between two readings.
func (r reading) since(last reading) sample {
	s := sample{
		At:          r.at.UnixMilli(),
		Seconds:     r.at.Sub(last.at).Seconds(),
		Requests:    r.times.GetSampleCount() - last.times.GetSampleCount(),
		Connections: r.stats.Connections,
		BytesIn:     r.stats.BytesIn - last.stats.BytesIn,
		BytesOut:    r.stats.BytesOut - last.stats.BytesOut,
		Batches:     r.stats.Batches - last.stats.Batches,
		Ops:         r.stats.Ops - last.stats.Ops,
		Direct:      r.stats.Direct - last.stats.Direct,
	}
	for i, n := range r.stats.BatchSizes {
		s.Sizes = append(s.Sizes, n-last.stats.BatchSizes[i])
	}
	if q, ok := quantile(0.5, last.times, r.times); ok {
		s.P50 = &q
	}
	if q, ok := quantile(0.99, last.times, r.times); ok {
		s.P99 = &q
	}
	return s
}

// ServeHTTP sends samples until the client leaves or the server shuts down.
func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	last, err := f.read()
	limits := netring.BatchSizeLimits()
	if err == nil {
		err = send(w, "start", started{
			Engine:   last.stats.Engine,
			Reason:   last.stats.EngineReason,
			Seconds:  f.interval.Seconds(),
			Limits:   limits[:],
			Counting: last.stats.Engine != netring.EngineNet,
		})
	}
	ticker := time.NewTicker(f.interval)
	defer ticker.Stop()
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
		var now reading
		if now, err = f.read(); err == nil {
			err = send(w, "sample", now.since(last))
			last = now
		}
	}
	if r.Context().Err() == nil {
		log.Printf("events for %s: %v", r.RemoteAddr, err)
	}
}

// send sends an event. It gives up on a client that has not taken it after 10 s.
func send(w http.ResponseWriter, event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	rc := http.NewResponseController(w)
	if err := rc.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, text); err != nil {
		return err
	}
	return rc.Flush()
}
