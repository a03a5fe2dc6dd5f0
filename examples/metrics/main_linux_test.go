package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// stream reads server-sent events.
type stream struct {
	resp  *http.Response
	lines *bufio.Reader
}

func open(t *testing.T, client *http.Client, url string) *stream {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("%s: %s, %s", url, resp.Status, kind)
	}
	return &stream{resp, bufio.NewReader(resp.Body)}
}

// next returns the next event's name and decodes its data.
func (s *stream) next(data any) (name string, err error) {
	for {
		line, err := s.lines.ReadString('\n')
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(line, "event: "):
			name = strings.TrimSpace(line[len("event: "):])
		case strings.HasPrefix(line, "data: "):
			return name, json.Unmarshal([]byte(line[len("data: "):]), data)
		}
	}
}

// newClient returns a client that ends with the test.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// The event stream, /metrics and /debug/vars tell of the same requests. The stream ends
// with the server.
func TestExample(t *testing.T) {
	const interval = 50 * time.Millisecond
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		client, url := newClient(t), "http://"+e.Addr
		events := open(t, client, url+"/events")
		var first started
		engine := cmp.Or(e.Engine, "net")
		if name, err := events.next(&first); name != "start" || err != nil || first.Engine.String() != engine || first.Seconds != interval.Seconds() {
			t.Fatalf("the first event is %s, %v: %+v", name, err, first)
		}
		if first.Counting != (engine != "net") {
			t.Errorf("with the engine %s, the first event says that netring counts: %v", engine, first.Counting)
		}
		const requests = 100
		for range requests {
			if body, _ := get(t, client, url+"/hello"); body != "Hello, World!\n" {
				t.Fatalf("/hello serves %q", body)
			}
		}
		seen := collect(t, events, requests)
		if want := requests * size(t, url+"/hello"); first.Counting && seen.BytesIn != want {
			t.Errorf("the events tell of %d bytes in, want %d", seen.BytesIn, want)
		}
		if first.Counting && (seen.BytesOut == 0 || seen.Connections < 2 || seen.Ops == 0 || seen.Direct == 0) {
			t.Errorf("the events tell of %+v", seen)
		}
		checkMetrics(t, client, e, seen)

		ended := make(chan error, 1)
		go func() {
			for {
				if _, err := events.next(new(sample)); err != nil {
					ended <- err
					return
				}
			}
		}()
		t.Cleanup(func() { // after the example has ended
			if err := <-ended; !errors.Is(err, io.EOF) {
				t.Errorf("the event stream ended with %v", err)
			}
		})
	}, "-interval", interval.String())
	exampletest.Refuses(t, exampletest.Command(t, "-addr", "127.0.0.1:0", "-interval", "1ns"), "1ns")
}

// size returns the number of bytes of a request.
func size(t *testing.T, url string) uint64 {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := httputil.DumpRequestOut(req, false)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(len(text))
}

// collect adds up samples until they tell of the given number of requests. They must
// not tell of more.
func collect(t *testing.T, events *stream, requests uint64) (sum sample) {
	t.Helper()
	sum.Sizes = make([]uint64, netring.BatchSizes)
	for range 200 { // of 50 ms
		var s sample
		if name, err := events.next(&s); name != "sample" || err != nil || s.Seconds <= 0 || s.At == 0 || len(s.Sizes) != netring.BatchSizes {
			t.Fatalf("an event is %s, %v: %+v", name, err, s)
		}
		if got := s.P50 != nil && s.P99 != nil && *s.P50 > 0 && *s.P50 <= *s.P99; got != (s.Requests > 0) {
			t.Errorf("the latency of %d requests is %v, %v", s.Requests, s.P50, s.P99)
		}
		var batches uint64
		for i, n := range s.Sizes {
			batches += n
			sum.Sizes[i] += n
		}
		if batches != s.Batches || s.Ops < batches {
			t.Errorf("%d submissions of %d operations, by size %v", s.Batches, s.Ops, s.Sizes)
		}
		if sum.Requests == requests {
			if s.Requests != 0 {
				t.Errorf("the events tell of %d requests more", s.Requests)
			}
			return sum
		}
		sum.Requests += s.Requests
		sum.BytesIn += s.BytesIn
		sum.BytesOut += s.BytesOut
		sum.Batches += s.Batches
		sum.Ops += s.Ops
		sum.Direct += s.Direct
		sum.Connections = s.Connections
	}
	t.Fatalf("the events tell of %d requests, want %d", sum.Requests, requests)
	return sum
}

// checkMetrics checks that /metrics and /debug/vars tell of at least what the events told.
func checkMetrics(t *testing.T, client *http.Client, e *exampletest.Example, seen sample) {
	t.Helper()
	text, _ := get(t, client, "http://"+e.Addr+"/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	times := families["http_request_duration_seconds"].GetMetric()
	if len(times) != 1 || times[0].GetHistogram().GetSampleCount() != seen.Requests {
		t.Errorf("/metrics tells of the requests %v, want %d", times, seen.Requests)
	}
	var vars struct{ Netring *netring.Stats }
	text, _ = get(t, client, "http://"+e.Addr+"/debug/vars")
	if err := json.Unmarshal([]byte(text), &vars); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	info := families["netring_info"].GetMetric()
	if e.Engine == "" { // package net serves
		if vars.Netring != nil || info != nil {
			t.Errorf("without netring, the example tells of it: %v, %+v", info, vars.Netring)
		}
		return
	}
	if len(info) != 1 || info[0].GetLabel()[0].GetValue() != e.Engine {
		t.Errorf("/metrics tells of the engine %v, want %s", info, e.Engine)
	}
	if s := vars.Netring; s == nil || s.Engine.String() != e.Engine || s.BytesIn < seen.BytesIn || s.BytesOut < seen.BytesOut || s.Ops < seen.Ops {
		t.Errorf("/debug/vars tells of %+v, the events of %+v", s, seen)
	}
	var bytesIn float64
	for _, m := range families["netring_bytes_in_total"].GetMetric() {
		bytesIn += m.GetCounter().GetValue()
	}
	if bytesIn < float64(seen.BytesIn) {
		t.Errorf("/metrics tells of %v bytes, the events of %d", bytesIn, seen.BytesIn)
	}
}

var elsewhere = regexp.MustCompile(`(?i)(?:src|href|url|import)\s*[=(]?\s*["'(]?(?:https?:)?//`)

// The page is complete: it names nothing on other hosts, and its policy forbids that.
func TestPage(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0", "-interval", "1m"))
	client, url := newClient(t), "http://"+e.Addr
	// The first event does not wait for others.
	if name, err := open(t, client, url+"/events").next(new(started)); name != "start" || err != nil {
		t.Errorf("the first event is %q, %v", name, err)
	}
	text, header := get(t, client, url+"/")
	if kind := header.Get("Content-Type"); kind != "text/html; charset=utf-8" || text != string(page) {
		t.Errorf("the page is %d bytes of %s, want %d", len(text), kind, len(page))
	}
	if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; connect-src 'self';") {
		t.Errorf("the policy is %q", policy)
	}
	if m := elsewhere.FindString(text); m != "" {
		t.Errorf("the page names another host: %q", m)
	}
	// The script reads each field of a sample by its name.
	for _, of := range []any{sample{}, started{}} {
		fields, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		var names map[string]any
		if err := json.Unmarshal(fields, &names); err != nil {
			t.Fatal(err)
		}
		for name := range names {
			if !regexp.MustCompile(`(?:\.|per\(")` + name + `\b`).MatchString(text) {
				t.Errorf("the page does not use %s of %T", name, of)
			}
		}
	}
	resp, err := client.Get(url + "/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("/nowhere: %s", resp.Status)
	}
	e.Stop(t, syscall.SIGTERM)
}
