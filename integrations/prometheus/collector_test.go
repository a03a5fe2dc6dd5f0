package netringprom

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/netring-go/netring"
)

// filler gives each field of a Stats a value of its own.
type filler struct{ last int }

func (f *filler) fill(t *testing.T, v reflect.Value) {
	t.Helper()
	f.last++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(t, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(t, v.Index(i))
		}
	case reflect.Int:
		v.SetInt(int64(f.last))
	case reflect.Uint64:
		v.SetUint(uint64(f.last))
	case reflect.Uint8, reflect.String, reflect.Slice: // Engine, EngineReason, PerReactor: see filled
	default:
		t.Fatalf("a field is a %v: teach this test and the Collector about it", v.Type())
	}
}

// filled returns Stats in which no two values are the same.
func filled(t *testing.T) netring.Stats {
	var f filler
	s := netring.Stats{PerReactor: make([]netring.ReactorStats, 2)}
	f.fill(t, reflect.ValueOf(&s).Elem())
	for i, name := range []string{"0", "listeners"} {
		f.fill(t, reflect.ValueOf(&s.PerReactor[i]).Elem())
		s.PerReactor[i].Name, s.PerReactor[i].Engine = name, netring.EngineURing
	}
	s.Engine, s.EngineReason = netring.EngineSyscall, "a reason"
	return s
}

// families gathers what the Collector exports, by name. Registration checks Describe.
func families(t testing.TB, c prometheus.Collector) map[string]*dto.MetricFamily {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*dto.MetricFamily, len(all))
	for _, f := range all {
		byName[f.GetName()] = f
	}
	return byName
}

// labelled returns the metric of a family that has exactly the given labels.
func labelled(f *dto.MetricFamily, labels map[string]string) *dto.Metric {
	for _, m := range f.GetMetric() {
		got := map[string]string{}
		for _, l := range m.GetLabel() {
			got[l.GetName()] = l.GetValue()
		}
		if maps.Equal(got, labels) {
			return m
		}
	}
	return nil
}

// fields checks that each field of v is exported with the given labels, under its name in
// JSON, and counts the metrics.
type fields struct {
	families map[string]*dto.MetricFamily
	labels   map[string]string
	metrics  int
}

func (f *fields) check(t *testing.T, prefix string, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		name = strings.Replace(prefix+name, "read_buffers_buffers", "read_buffers", 1)
		switch x := value.Interface().(type) {
		case netring.Counters:
			if v.Type() != reflect.TypeFor[netring.Stats]() { // whose Counters are a sum
				f.check(t, prefix, value)
			}
		case netring.BufferStats:
			f.check(t, name+"_", value)
		case [netring.BatchSizes]uint64:
			f.checkHistogram(t, name, x, v.Interface().(netring.Counters).Ops)
		case int:
			if got := f.metric(t, name).GetGauge(); got.GetValue() != float64(x) {
				t.Errorf("%s %v of %v.%s is %v, want %d", name, f.labels, v.Type(), field.Name, got, x)
			}
		case uint64:
			name += "_total"
			if got := f.metric(t, name).GetCounter(); got.GetValue() != float64(x) {
				t.Errorf("%s %v of %v.%s is %v, want %d", name, f.labels, v.Type(), field.Name, got, x)
			}
		case netring.Engine, string, []netring.ReactorStats: // labels, see TestFields
		default:
			t.Errorf("%v.%s is a %T: teach this test and the Collector about it", v.Type(), field.Name, x)
		}
	}
}

// metric returns a metric with the right labels, an empty one if there is none.
func (f *fields) metric(t *testing.T, name string) *dto.Metric {
	t.Helper()
	m := labelled(f.families[name], f.labels)
	if m == nil {
		t.Errorf("no metric %s %v", name, f.labels)
		return new(dto.Metric)
	}
	f.metrics++
	return m
}

func (f *fields) checkHistogram(t *testing.T, name string, classes [netring.BatchSizes]uint64, ops uint64) {
	t.Helper()
	h := f.metric(t, name).GetHistogram()
	var want []string
	var count uint64
	for i, limit := range netring.BatchSizeLimits() {
		count += classes[i]
		if limit != 0 {
			want = append(want, fmt.Sprint(float64(limit), count))
		}
	}
	var got []string
	for _, b := range h.GetBucket() {
		got = append(got, fmt.Sprint(b.GetUpperBound(), b.GetCumulativeCount()))
	}
	if !slices.Equal(got, want) || h.GetSampleCount() != count || h.GetSampleSum() != float64(ops) {
		t.Errorf("%s %v: %v, want buckets %v, %d submissions, %d operations", name, f.labels, h, want, count, ops)
	}
}

// Each field of Stats is exported, with its value, and nothing else is.
func TestFields(t *testing.T) {
	s := filled(t)
	f := fields{families: families(t, collector{func() netring.Stats { return s }}), labels: map[string]string{}}
	f.check(t, "netring_", reflect.ValueOf(s))
	for _, r := range s.PerReactor {
		f.labels = map[string]string{"reactor": r.Name}
		f.check(t, "netring_", reflect.ValueOf(r))
		f.labels = map[string]string{"reactor": r.Name, "engine": "uring"}
		f.metric(t, "netring_reactor_info")
	}
	f.labels = map[string]string{"engine": "syscall", "reason": "a reason"}
	f.metric(t, "netring_info")
	all := 0
	for _, family := range f.families {
		all += len(family.GetMetric())
	}
	if f.metrics != all {
		t.Errorf("%d metrics are exported, %d of them belong to fields", all, f.metrics)
	}
}

// Where package net runs everything, what nobody counts is not exported as 0.
func TestFieldsOfNet(t *testing.T) {
	s := netring.Stats{Engine: netring.EngineNet, EngineReason: "not Linux", Counters: netring.Counters{Descriptors: 3}}
	all := families(t, collector{func() netring.Stats { return s }})
	if names := slices.Sorted(maps.Keys(all)); !slices.Equal(names, []string{"netring_descriptors", "netring_info", "netring_reactors"}) {
		t.Errorf("exported: %v", names)
	}
	if m := labelled(all["netring_descriptors"], map[string]string{"reactor": ""}); m.GetGauge().GetValue() != 3 {
		t.Errorf("descriptors: %v", all["netring_descriptors"])
	}
}

func TestLint(t *testing.T) {
	s := filled(t)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collector{func() netring.Stats { return s }})
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Two Pollers are told apart by a label.
func TestTwoPollers(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	for i, name := range []string{"front", "back"} {
		s := netring.Stats{Reactors: i + 1}
		prometheus.WrapRegistererWith(prometheus.Labels{"poller": name}, reg).
			MustRegister(collector{func() netring.Stats { return s }})
	}
	const want = `
# HELP netring_reactors Reactors that serve connections; listeners have another one.
# TYPE netring_reactors gauge
netring_reactors{poller="back"} 2
netring_reactors{poller="front"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "netring_reactors"); err != nil {
		t.Error(err)
	}
}
