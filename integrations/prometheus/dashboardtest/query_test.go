package dashboardtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/netring-go/netring"
	netringprom "github.com/netring-go/netring/integrations/prometheus"
)

// expression returns a query as Grafana sends it, for all jobs and instances.
func expression(expr string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$__range", "1m", "$job", ".*", "$instance", ".*").Replace(expr)
}

// database has the samples of some scrapes.
type database struct {
	series map[string]*promql.Series
	types  map[string]string // of metrics, by name
}

// add adds a scrape, as Prometheus does: with the labels of the target.
func (db *database) add(text []byte, at time.Duration) error {
	p := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
	for {
		entry, err := p.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case entry == textparse.EntryType:
			name, kind := p.Type()
			db.types[string(name)] = string(kind)
		case entry == textparse.EntrySeries:
			var l labels.Labels
			p.Labels(&l)
			l = labels.NewBuilder(l).Set("job", "test").Set("instance", "127.0.0.1:80").Labels()
			s := db.series[l.String()]
			if s == nil {
				s = &promql.Series{Metric: l}
				db.series[l.String()] = s
			}
			_, _, value := p.Series()
			s.Floats = append(s.Floats, promql.FPoint{T: at.Milliseconds(), F: value})
		}
	}
}

// Querier implements storage.Queryable.
func (db *database) Querier(int64, int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: db.matching}, nil
}

func (db *database) matching(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &seriesSet{at: -1}
	for _, s := range db.series {
		matches := true
		for _, m := range matchers {
			matches = matches && m.Matches(s.Metric.Get(m.Name))
		}
		if matches {
			set.all = append(set.all, promql.NewStorageSeries(*s))
		}
	}
	return set
}

type seriesSet struct {
	all []storage.Series
	at  int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.all) }
func (s *seriesSet) At() storage.Series                { return s.all[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

const (
	scrapes  = 5
	interval = 15 * time.Second // between scrapes, by their timestamps
)

// record runs an HTTP server over netring under a little load, and scrapes it.
func record(t *testing.T) *database {
	t.Helper()
	p, err := netring.NewPoller(netring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	if p.Stats().Engine == netring.EngineNet {
		t.Skip("the net engine counts nothing")
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(netringprom.NewCollector(p))
	lc := netring.ListenConfig{Poller: p}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	s.Listener.Close()
	s.Listener = ln
	s.Start()
	t.Cleanup(s.Close)

	db := &database{map[string]*promql.Series{}, map[string]string{}}
	for i := range scrapes {
		text, err := request(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.add(text, time.Duration(i)*interval); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	return db
}

// request makes some requests on new connections, and returns what the last one answers.
func request(url string) (text []byte, err error) {
	for range 10 {
		tr := &http.Transport{}
		for range 5 {
			resp, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get(url)
			if err != nil {
				return nil, err
			}
			text, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				return nil, err
			}
		}
		tr.CloseIdleConnections()
	}
	return text, nil
}

// Each query of the dashboard parses and has a result with samples of a real server. A
// query with a wrong label, or that joins what does not match, has none.
func TestQueries(t *testing.T) {
	d, db := load(t), record(t)
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6,
		Timeout:    20 * time.Second,
		Parser:     parser.NewParser(parser.Options{}),
	})
	defer engine.Close()
	now := time.UnixMilli(((scrapes - 1) * interval).Milliseconds())
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			name := fmt.Sprintf("%s, %s: %s", p.Title, target.LegendFormat, target.Expr)
			q, err := engine.NewInstantQuery(context.Background(), db, nil, expression(target.Expr), now)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			result, err := q.Exec(context.Background()).Vector()
			if err != nil || len(result) == 0 {
				t.Errorf("%s: the result is %v, %v", name, result, err)
			}
			for _, sample := range result {
				if math.IsNaN(sample.F) || math.IsInf(sample.F, 0) || sample.F < 0 {
					t.Errorf("%s: the result is %v", name, sample)
				}
				checkLegend(t, name, target, sample.Metric)
			}
			q.Close()
		}
	}
}

// checkLegend checks that the labels in a legend are those of the result.
func checkLegend(t *testing.T, name string, target target, l labels.Labels) {
	t.Helper()
	for part := range strings.SplitSeq(target.LegendFormat, "{{") {
		if label, _, ok := strings.Cut(part, "}}"); ok && l.Get(label) == "" {
			t.Errorf("%s: the legend names %s, which %v lacks", name, label, l)
		}
	}
}

// The queries name metrics that the Collector exports, all of them.
func TestNames(t *testing.T) {
	d, db := load(t), record(t)
	shown := map[string]bool{}
	p := parser.NewParser(parser.Options{})
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			expr, err := p.ParseExpr(expression(target.Expr))
			if err != nil {
				t.Errorf("%s: %s: %v", panel.Title, target.Expr, err)
				continue
			}
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				if v, ok := n.(*parser.VectorSelector); ok {
					shown[v.Name] = true
				}
				return nil
			})
		}
	}
	exported := map[string]bool{}
	for name, kind := range db.types {
		if kind != "histogram" {
			exported[name] = true
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			exported[name+suffix] = true
		}
	}
	for name := range shown {
		if !exported[name] {
			t.Errorf("the dashboard shows %s, which is not exported", name)
		}
	}
	for name := range exported {
		if !shown[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}
