package main

import (
	"strings"
	"testing"

	"github.com/netring-go/netring"
)

// measured returns a measurement with the given ratios of rates.
func measured(syscallNet, uringNet, uringSyscall float64) *measurement {
	of := func(engine, against netring.Engine, ratio float64) comparison {
		f := figure{Engine: ratio, Against: 1, Ratio: ratio, Low: ratio, High: ratio}
		f.Verdict = f.judge(minRounds)
		return comparison{Engine: engine, Against: against, Rate: f}
	}
	return &measurement{Comparisons: []comparison{
		of(netring.EngineSyscall, netring.EngineNet, syscallNet),
		of(netring.EngineURing, netring.EngineNet, uringNet),
		of(netring.EngineURing, netring.EngineSyscall, uringSyscall),
	}}
}

func TestAdvice(t *testing.T) {
	const nothing = "There is nothing to change."
	feature := func(since string, oks ...bool) (fs []netring.Feature) {
		for _, ok := range oks {
			fs = append(fs, netring.Feature{Name: "F", Since: since, Supported: ok, Reason: "refused"})
		}
		return fs
	}
	ring := netring.Report{Engine: netring.EngineURing, Reason: "io_uring is available", Kernel: "6.1.0-x", Features: feature("5.19", true)}
	with := func(change func(r *netring.Report)) *netring.Report {
		r := ring
		change(&r)
		return &r
	}
	for _, tc := range []struct {
		name string
		d    diagnosis
		want string
		not  string // what no advice may contain, if not empty
	}{
		{"all well", diagnosis{Report: &ring, Measurement: measured(1.2, 1.2, 1)}, nothing, ""},
		{"no difference", diagnosis{Report: &ring, Measurement: measured(1, 1, 1)}, nothing, ""},
		{"not measured", diagnosis{Report: &ring}, nothing, ""},
		{"the other engine is faster", diagnosis{Report: &ring, Measurement: measured(1.3, 1.1, 0.8)}, "NETRING_ENGINE=syscall", nothing},
		{"net is faster", diagnosis{Report: &ring, Measurement: measured(0.8, 0.8, 1)}, "NETRING_ENGINE=net", nothing},
		{"net is faster than both", diagnosis{Report: &ring, Measurement: measured(0.8, 0.6, 0.7)}, "NETRING_ENGINE=net", "=syscall"},
		{"only the ring is slower", diagnosis{Report: &ring, Measurement: measured(1, 0.8, 0.8)}, "NETRING_ENGINE=syscall", "=net"},
		{"an old kernel", diagnosis{Report: with(func(r *netring.Report) { r.Features = feature("6.10", false) })}, "newer kernel has: F (Linux 6.10)", "seccomp"},
		{"a new kernel that refuses", diagnosis{Report: with(func(r *netring.Report) { r.Features = feature("5.19", false) })}, "io_uring_register", "newer kernel"},
		{"refused", diagnosis{Report: with(func(r *netring.Report) {
			r.Engine, r.Reason, r.Features = netring.EngineSyscall, "the reason", feature("6.10", false)
		})}, "the reason", "newer kernel"},
		{"locked memory", diagnosis{Report: with(func(r *netring.Report) { r.Engine, r.Reason = netring.EngineSyscall, "the reason" })}, "the reason", ""},
		{"not asked for", diagnosis{Report: &netring.Report{Engine: netring.EngineSyscall, Reason: "NETRING_ENGINE=syscall"}}, nothing, ""},
		{"net", diagnosis{Report: &netring.Report{Engine: netring.EngineNet, Reason: "NETRING_ENGINE=net"}}, "unset NETRING_ENGINE", "only Linux"},
		{"not Linux", diagnosis{Report: &netring.Report{Engine: netring.EngineNet, Reason: "not Linux: package net is used"}}, "only Linux", "unset"},
		{"cannot listen", diagnosis{Report: &ring, ListenError: "why"}, "cannot serve", nothing},
		{"the measurement failed", diagnosis{Report: &ring, MeasurementError: "why"}, "not compared", nothing},
		{"few files", diagnosis{Report: with(func(r *netring.Report) { r.Limits.OpenFiles = "1024/4096" })}, "1024", nothing},
	} {
		advice := strings.Join(advise(&tc.d), "\n")
		if tc.not != "" && strings.Contains(advice, tc.not) {
			t.Errorf("%s: %q speaks of %q", tc.name, advice, tc.not)
		}
		if !strings.Contains(advice, tc.want) {
			t.Errorf("%s: %q does not speak of %q", tc.name, advice, tc.want)
		}
	}
}

func TestOlderThan(t *testing.T) {
	for _, tc := range []struct {
		release, version string
		want             bool
	}{
		{"5.10.0-13-amd64", "5.19", true}, {"5.19.0", "5.19", false}, {"6.1", "5.19", false}, {"4.18.0-348.el8", "5.6", true},
		{"6.8.0-31-generic", "6.10", true}, {"darwin", "5.6", false}, {"", "5.6", false},
	} {
		if got := olderThan(tc.release, tc.version); got != tc.want {
			t.Errorf("olderThan(%q, %q) = %v", tc.release, tc.version, got)
		}
	}
}

// A report that names another engine than the default Poller runs is a bug, not a report.
func TestObserveContradiction(t *testing.T) {
	for _, s := range []netring.Stats{
		{Engine: netring.EngineSyscall, EngineReason: "no memory"},
		{Engine: netring.EngineURing, EngineReason: "the ring broke down"},
	} {
		d := &diagnosis{Report: &netring.Report{Engine: netring.EngineURing, Reason: "io_uring is available"}}
		if err := d.observe(s); err == nil || !strings.Contains(err.Error(), "bug in netring") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
