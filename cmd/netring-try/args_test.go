package main

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseArgs(t *testing.T) {
	for _, test := range []struct {
		args                                string
		flags, list, rest, overlay, netring string
		chdir                               string
		dial                                bool
	}{
		{args: ". -addr :1", rest: ". -addr :1"},
		{args: "-race -dial ./x -dial", flags: "-race", list: "-race", rest: "./x -dial", dial: true},
		{args: "--dial=false -tags a,b -v .", flags: "-tags a,b -v", list: "-tags a,b", rest: "."},
		{args: "-C dir -overlay=o.json -netring v1 -o x -mod=mod p", chdir: "dir", overlay: "o.json", netring: "v1", flags: "-o x -mod=mod", list: "-mod=mod", rest: "p"},
		{args: "-run X -args -dial", flags: "-run X", rest: "-args -dial"},
		{args: "-x -- p", flags: "-x", rest: "-- p"},
	} {
		own := flag.NewFlagSet("", flag.ContinueOnError)
		dial, netring := own.Bool("dial", false, ""), own.String("netring", "", "")
		r, err := parseArgs(strings.Fields(test.args), own)
		if err != nil {
			t.Errorf("%q: %v", test.args, err)
			continue
		}
		got := []string{strings.Join(r.flags, " "), strings.Join(r.list, " "), strings.Join(r.rest, " "), r.overlay, *netring, r.chdir}
		want := []string{test.flags, test.list, test.rest, test.overlay, test.netring, test.chdir}
		if !slices.Equal(got, want) || *dial != test.dial {
			t.Errorf("%q: %q and dial %v, want %q and %v", test.args, got, *dial, want, test.dial)
		}
	}
	for _, args := range []string{"-tags", "-dial=perhaps .", "-netring"} {
		own := flag.NewFlagSet("", flag.ContinueOnError)
		own.Bool("dial", false, "")
		own.String("netring", "", "")
		if _, err := parseArgs(strings.Fields(args), own); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestFlagsAmongArguments(t *testing.T) {
	args := strings.Fields("./a ./b -run a@b -race -tags=x -v ./c -count 3")
	if got, want := operands(args), []int{0, 1, 7}; !slices.Equal(got, want) {
		t.Errorf("operands at %v, want %v", got, want)
	}
	if got := strings.Join(laterFlags(args), " "); got != "-race -tags=x" {
		t.Errorf("flags of go list: %q", got)
	}
	if got := strings.Join(withoutFlag(args, "run"), " "); got != "./a ./b -race -tags=x -v ./c -count 3" {
		t.Errorf("without -run: %q", got)
	}
	if v, ok := flagValue(args, "count"); v != "3" || !ok {
		t.Errorf("-count: %q, %v", v, ok)
	}
	if hasFlag(args, "cpu") {
		t.Error("-cpu is found")
	}
}

// TestParseLoad has lines as the load generators print them.
func TestParseLoad(t *testing.T) {
	for _, test := range []struct {
		name, out string
		want      []value
	}{
		{"wrk", `Running 1s test @ http://127.0.0.1:18081/
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.02ms    4.88ms  61.24ms   94.66%
  Latency Distribution
     50%  511.00us
     99%   21.08ms
  39875 requests in 1.00s, 4.68MB read
Requests/sec:  39724.91
Transfer/sec:      4.66MB
`, []value{{rateName, 39724.91}, {"p99 ms", 21.08}, {"p50 ms", 0.511}}},
		{"hey", `Summary:
  Total:	0.1 secs
  Requests/sec:	19234.5

Latency distribution:
  50% in 0.0021 secs
  99% in 0.0103 secs
`, []value{{rateName, 19234.5}, {"p99 ms", 10.3}, {"p50 ms", 2.1}}},
		{"bombardier", `Statistics        Avg      Stdev        Max
  Reqs/sec     64500.12    3522.40   72000.00
  Latency        1.94ms   601.20us    41.00ms
     50%     1.80ms
     99%     4.00ms
`, []value{{rateName, 64500.12}, {"p99 ms", 4}, {"p50 ms", 1.8}}},
		{"ab", "Requests per second:    8123.40 [#/sec] (mean)\n", []value{{rateName, 8123.4}}},
		{"redis-benchmark -q", "PING_INLINE: rps=0.0\rSET: 98039.22 requests per second, p50=0.247 msec\nGET: 101010.10 requests per second, p50=0.231 msec\n",
			[]value{{"SET " + rateName, 98039.22}, {"GET " + rateName, 101010.1}, {"p50 ms", 0.247}}},
		{"general", "finished: 123,456 msgs/sec ~ 15 MB/sec\n", []value{{rateName, 123456}}},
		{"requests/s", "1234.5 requests/s\n", []value{{rateName, 1234.5}}},
		{"go test -bench", "BenchmarkGet-2   \t   10000\t     50000 ns/op\t 16 B/op\nBenchmarkPut \t 10 \t 1000000 ns/op\n",
			[]value{{"BenchmarkGet-2 ops/s", 20000}, {"BenchmarkPut ops/s", 1000}}},
		{"unknown", "it took 12 seconds for 100 requests\n", nil},
	} {
		got := parseLoad(test.out)
		same := slices.EqualFunc(got, test.want, func(a, b value) bool {
			return a.name == b.name && a.n > b.n*0.999999 && a.n < b.n*1.000001
		})
		if !same {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestDerive(t *testing.T) {
	names := func(values []value) (names []string) {
		for _, v := range values {
			names = append(names, v.name)
		}
		return names
	}
	got := derive([]value{{rateName, 1000}}, 2*time.Second, time.Second)
	if len(got) != 2 || got[1] != (value{costName, 500}) {
		t.Errorf("one rate: %v, want 500 µs a request", got)
	}
	if got := names(derive(nil, time.Second, time.Second)); !slices.Equal(got, []string{tookName, cpuName}) {
		t.Errorf("no rate: %v", got)
	}
	if got := names(derive([]value{{"SET " + rateName, 1}, {"GET " + rateName, 1}}, time.Second, time.Second)); got[2] != cpuName {
		t.Errorf("two rates: %v", got)
	}
}

func TestVerdict(t *testing.T) {
	rounds := func(name string, figures ...float64) (ms []measurement) {
		for _, f := range figures {
			ms = append(ms, measurement{values: []value{{name, f}}})
		}
		return ms
	}
	for _, test := range []struct {
		name      string
		net, ring []float64
		want      string
	}{
		{rateName, []float64{100, 110, 90}, []float64{120, 130, 110}, "netring is better"},
		{rateName, []float64{120, 130, 110}, []float64{100, 110, 90}, "net is better"},
		{costName, []float64{100, 110, 90}, []float64{120, 130, 110}, "net is better"},
		{costName, []float64{120, 130, 110}, []float64{100, 110, 90}, "netring is better"},
		{rateName, []float64{100, 110, 90}, []float64{200, 100, 180}, "no difference"},
		{rateName, []float64{100, 110}, []float64{200, 220}, "too few rounds"},
	} {
		got := rows(rounds(test.name, test.net...), rounds(test.name, test.ring...))
		if len(got) != 1 || got[0].verdict("netring") != test.want {
			t.Errorf("%s: net %v, netring %v: %+v, want %q", test.name, test.net, test.ring, got, test.want)
		}
	}
	if s := spreadOf([]float64{3, 1, 2, 10}); s != (spread{2.5, 1, 10}) {
		t.Errorf("spread %v, want the median 2.5 from 1 to 10", s)
	}
}
