package netringprom

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/netring-go/netring"
)

func ExampleNewCollector() {
	reg := prometheus.NewRegistry()
	reg.MustRegister(NewCollector(nil)) // of everything that netring.Listen and Dial made
	http.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
}

// ofEngines runs a test with each engine, or with the one that the environment asks for.
func ofEngines(t *testing.T, test func(t *testing.T)) {
	names := []string{"uring", "syscall", "net"}
	if env := os.Getenv(netring.EngineEnv); env != "" && env != "auto" {
		names = []string{env}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if name == "uring" {
				report, err := netring.Probe()
				if err != nil {
					t.Fatal(err)
				}
				if env := os.Getenv(netring.EngineEnv); env != "uring" && report.Engine != netring.EngineURing {
					t.Skipf("io_uring is unavailable: %v", report.Reason)
				}
			}
			t.Setenv(netring.EngineEnv, name)
			test(t)
		})
	}
}

// server is an HTTP server over netring that serves the metrics of its own Poller, or
// of the default Poller.
type server struct {
	*httptest.Server
	client *http.Client
}

func serve(t *testing.T, p *netring.Poller) *server {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(NewCollector(p))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	lc := netring.ListenConfig{Poller: p}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{httptest.NewUnstartedServer(mux), nil}
	s.Listener.Close()
	s.Listener = ln
	s.Start()
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	s.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
	})
	return s
}

func (s *server) get(path string) (string, error) {
	resp, err := s.client.Get(s.URL + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, resp.Status, body)
	}
	return string(body), err
}

// scrape asks for the metrics and parses them.
func (s *server) scrape() (map[string]*dto.MetricFamily, error) {
	text, err := s.get("/metrics")
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(strings.NewReader(text))
}

// sum adds up a family's counters and gauges.
func sum(f *dto.MetricFamily) (sum uint64) {
	for _, m := range f.GetMetric() {
		sum += uint64(m.GetCounter().GetValue() + m.GetGauge().GetValue())
	}
	return sum
}

// A server's metrics tell of its requests. Between two Stats that say the same, so do
// the metrics.
func TestScrape(t *testing.T) {
	ofEngines(t, func(t *testing.T) {
		p, err := netring.NewPoller(netring.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		s := serve(t, p)
		for range 10 {
			if body, err := s.get("/hello"); err != nil || body != "hello" {
				t.Fatalf("%q, %v", body, err)
			}
		}
		before := p.Stats()
		got, err := s.scrape()
		if err != nil {
			t.Fatal(err)
		}
		after := p.Stats()
		labels := map[string]string{"engine": after.Engine.String(), "reason": after.EngineReason}
		if labelled(got["netring_info"], labels) == nil {
			t.Errorf("netring_info is %v, want %v", got["netring_info"], labels)
		}
		if after.Engine == netring.EngineNet {
			return
		}
		checkBetween(t, got, &before, &after)
	})
}

// checkBetween checks that metrics are those of a time between two Stats.
func checkBetween(t *testing.T, got map[string]*dto.MetricFamily, before, after *netring.Stats) {
	t.Helper()
	for _, c := range []struct {
		name             string
		least, low, high uint64
	}{
		{"netring_reactors", 1, uint64(before.Reactors), uint64(after.Reactors)},
		{"netring_accepted_total", 1, before.Accepted, after.Accepted},
		{"netring_connections", 1, uint64(before.Connections), uint64(after.Connections)},
		{"netring_bytes_in_total", 10, before.BytesIn, after.BytesIn},
		{"netring_bytes_out_total", 10, before.BytesOut, after.BytesOut},
		{"netring_batches_total", 0, before.Batches, after.Batches},
		{"netring_direct_total", 1, before.Direct, after.Direct},
	} {
		if n := sum(got[c.name]); n < c.least || n < c.low || n > c.high {
			t.Errorf("%s is %d, want %d to %d and at least %d", c.name, n, c.low, c.high, c.least)
		}
	}
	for _, r := range after.PerReactor {
		if labelled(got["netring_batch_sizes"], map[string]string{"reactor": r.Name}).GetHistogram() == nil {
			t.Errorf("no histogram of reactor %s", r.Name)
		}
	}
}

// counters returns the values of all that must never go down, by series.
func counters(families map[string]*dto.MetricFamily) map[string]float64 {
	values := map[string]float64{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			key := fmt.Sprint(name, m.GetLabel())
			if c := m.GetCounter(); c != nil {
				values[key] = c.GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				values[key+" count"] = float64(h.GetSampleCount())
				values[key+" sum"] = h.GetSampleSum()
				for _, b := range h.GetBucket() {
					values[fmt.Sprint(key, " le ", b.GetUpperBound())] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return values
}

// watch gathers until done is closed, once more then, and checks that no counter goes
// down or disappears.
func watch(t *testing.T, c prometheus.Collector, done <-chan struct{}) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	last := map[string]float64{}
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		all, err := reg.Gather()
		if err != nil {
			t.Error(err)
			return
		}
		byName := make(map[string]*dto.MetricFamily, len(all))
		for _, f := range all {
			byName[f.GetName()] = f
		}
		now := counters(byName)
		for key, was := range last {
			if is, ok := now[key]; !ok || is < was {
				t.Errorf("%s was %v, is %v (exported: %v)", key, was, is, ok)
				return
			}
		}
		last = now
	}
}

// Scrapes by several goroutines, under load, never see a counter go down. Neither does
// the end of a default Poller reset its counters.
func TestCountersNeverGoDown(t *testing.T) {
	ofEngines(t, func(t *testing.T) {
		if os.Getenv(netring.EngineEnv) == "net" {
			t.Skip("the net engine has no counters")
		}
		done := make(chan struct{})
		var watchers sync.WaitGroup
		for range 2 {
			watchers.Go(func() { watch(t, NewCollector(nil), done) })
		}
		for range 3 {
			t.Run("server", func(t *testing.T) {
				s := serve(t, nil)
				var load sync.WaitGroup
				for range 4 {
					load.Go(func() {
						for range 10 {
							if _, err := s.scrape(); err != nil {
								t.Error(err)
								return
							}
						}
					})
				}
				load.Wait()
			})
			unused(t)
		}
		close(done)
		watchers.Wait()
	})
}

// unused waits until the default Poller has ended.
func unused(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); netring.DefaultStats().Reactors != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("the default Poller does not end: %+v", netring.DefaultStats())
		}
		time.Sleep(time.Millisecond)
	}
}
