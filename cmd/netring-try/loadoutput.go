package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// value is a figure that a round has measured.
type value struct {
	name string
	n    float64
}

// Names of values. The load's other values have its own names.
const (
	rateName = "requests/s"
	cpuName  = "CPU s"
	costName = "CPU µs/request"
	tookName = "load command s"
)

// forms are the lines in which load generators report. The first group of the expression is
// the figure; a group "name" names it, and a group "unit" is its unit of time.
var forms = []struct {
	name string
	expr *regexp.Regexp
}{
	// wrk and hey; bombardier
	{rateName, regexp.MustCompile(`(?m)^\s*(?:Requests/sec:|Reqs/sec)\s+([\d.]+)`)},
	// ab
	{rateName, regexp.MustCompile(`(?m)^Requests per second:\s+([\d.]+)`)},
	// redis-benchmark, with the command's name
	{rateName, regexp.MustCompile(`(?m)(?:^|\r)(?P<name>[A-Z][A-Z0-9_ ()]*?)(?: \([^)\n]*\))?: ([\d.]+) requests per second`)},
	// "12345 requests/s", "12,345 msgs/sec" and the like
	{rateName, regexp.MustCompile(`(?m)(?:^|[\s:,(=])([\d][\d,]*(?:\.\d+)?) ?(?:requests|reqs?|msgs|messages|ops|queries)/s(?:ec)?\b`)},
	// hey and bombardier: "99% in 0.0012 secs", "99%     1.20ms"; wrk: " 99%    1.20ms"
	{"p99 ms", regexp.MustCompile(`(?m)^\s*99%%?(?: in)?\s+([\d.]+) ?(?P<unit>us|µs|ms|s|secs|m)\b`)},
	{"p50 ms", regexp.MustCompile(`(?m)^\s*50%%?(?: in)?\s+([\d.]+) ?(?P<unit>us|µs|ms|s|secs|m)\b`)},
	// redis-benchmark
	{"p50 ms", regexp.MustCompile(`requests per second, p50=([\d.]+) (?P<unit>msec)`)},
}

// goBenchmark is a line of `go test -bench`.
var goBenchmark = regexp.MustCompile(`(?m)^(Benchmark\S*)\s+\d+\s+([\d.]+) ns/op`)

// parseLoad returns the figures in the output of a load command. It returns none if the output
// has no known form.
func parseLoad(out string) []value {
	var found []value
	seen := make(map[string]bool)
	add := func(name string, n float64) {
		if !seen[name] && n > 0 {
			seen[name] = true
			found = append(found, value{name, n})
		}
	}
	rate := false
	for _, f := range forms {
		if rate && f.name == rateName {
			continue
		}
		for _, m := range f.expr.FindAllStringSubmatch(out, -1) {
			name, n, ok := read(f.name, f.expr, m)
			if ok {
				add(name, n)
				rate = rate || f.name == rateName
			}
		}
	}
	if !rate {
		for _, m := range goBenchmark.FindAllStringSubmatch(out, -1) {
			if ns, err := strconv.ParseFloat(m[2], 64); err == nil && ns > 0 {
				add(m[1]+" ops/s", 1e9/ns)
			}
		}
	}
	return found
}

// read returns the name and figure of a match.
func read(name string, expr *regexp.Regexp, match []string) (string, float64, bool) {
	n, ok := 0.0, false
	scale := 1.0
	for i, group := range expr.SubexpNames()[1:] {
		s := match[i+1]
		switch group {
		case "name":
			name = s + " " + name
		case "unit":
			scale = milliseconds[s]
		default:
			v, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
			n, ok = v, err == nil
		}
	}
	return name, n * scale, ok
}

// milliseconds are the load generators' units of time.
var milliseconds = map[string]float64{
	"us": 1e-3, "µs": 1e-3, "ms": 1, "msec": 1, "s": 1e3, "secs": 1e3, "m": 60e3,
}

// derive adds what netring-try measures itself: the server's CPU time, for each request if the
// load reports one rate, and the time of the load command if it reports none.
func derive(load []value, took, cpu time.Duration) []value {
	rates := 0
	rate := 0.0
	for _, v := range load {
		if higherIsBetter(v.name) {
			rates++
			rate = v.n
		}
	}
	switch {
	case rates == 0:
		load = append(load, value{tookName, took.Seconds()}, value{cpuName, cpu.Seconds()})
	case rates == 1 && strings.HasSuffix(load[0].name, rateName):
		load = append(load, value{costName, cpu.Seconds() * 1e6 / (rate * took.Seconds())})
	default:
		load = append(load, value{cpuName, cpu.Seconds()})
	}
	return load
}

// higherIsBetter reports whether a higher figure is better.
func higherIsBetter(name string) bool { return strings.HasSuffix(name, "/s") }
