package main

import (
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// Quantiles are those of what was observed between two readings, up to the width of a
// bucket.
func TestQuantile(t *testing.T) {
	s := newStopwatch()
	reading := func() *dto.Histogram {
		t.Helper()
		h, err := s.read()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for range 1000 {
		s.histogram.Observe(9) // before the first reading
	}
	before := reading()
	if q, ok := quantile(0.5, before, before); ok {
		t.Errorf("the median of nothing is %v", q)
	}
	for i := range 1000 {
		s.histogram.Observe(float64(i+1) / 1000) // 1 ms to 1 s
	}
	width := math.Pow(10/5e-6, 1.0/47)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		if got, ok := quantile(q, before, reading()); !ok || got < q/width || got > q*width {
			t.Errorf("the %v-quantile is %v, %v", q, got, ok)
		}
	}
	before = reading()
	s.histogram.Observe(1000)
	if got, ok := quantile(0.5, before, reading()); !ok || math.Abs(got-10) > 1e-9 {
		t.Errorf("the median of a value beyond the buckets is %v, %v", got, ok)
	}
}

// A request is measured once, until its response is written. A request on a connection
// that ends with it counts, too, and an idle connection that ends does not count again.
func TestStopwatch(t *testing.T) {
	s := newStopwatch()
	srv := httptest.NewUnstartedServer(s.measure(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	srv.Config.ConnContext = s.connContext
	closed := make(chan struct{}, 8)
	idle := make(chan struct{}, 8)
	srv.Config.ConnState = func(c net.Conn, state http.ConnState) {
		s.connState(c, state)
		switch state {
		case http.StateIdle:
			idle <- struct{}{}
		case http.StateClosed:
			closed <- struct{}{}
		}
	}
	srv.Start()
	defer srv.Close()
	request := func(tr *http.Transport) { get(t, &http.Client{Transport: tr, Timeout: 20 * time.Second}, srv.URL) }
	check := func(step string, want uint64) {
		t.Helper()
		h, err := s.read()
		if err != nil {
			t.Fatal(err)
		}
		if got := h.GetSampleCount(); got != want || h.GetSampleSum() <= 0 {
			t.Errorf("%s: %d requests of %v s, want %d", step, got, h.GetSampleSum(), want)
		}
	}
	kept, ends := &http.Transport{}, &http.Transport{DisableKeepAlives: true}
	for i := range 2 {
		request(kept)
		<-idle
		check("on a kept connection", uint64(i+1))
	}
	request(ends)
	<-closed
	check("on a connection that ends", 3)
	kept.CloseIdleConnections()
	<-closed
	check("after the end of an idle connection", 3)
	s.laps.Range(func(c, _ any) bool { t.Errorf("connection %v is not forgotten", c); return true })
}

func get(t *testing.T, client *http.Client, url string) (body string, header http.Header) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(text), resp.Header
}
