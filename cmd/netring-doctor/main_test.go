package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/internal/leakcheck"
)

// TestMain makes the test binary the load generator if the environment asks for that.
func TestMain(m *testing.M) {
	if os.Getenv(loadEnv) != "" {
		main()
		return
	}
	leakcheck.Main(m)
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-json", "-rounds", "2", "-d", "20ms"}, &out); err != nil {
		t.Fatal(err)
	}
	var d diagnosis
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		t.Fatalf("%v in %s", err, out.Bytes())
	}
	want, err := netring.Probe()
	if err != nil {
		t.Fatal(err)
	}
	if d.Engine != want.Engine || d.Reason != want.Reason || d.Kernel != want.Kernel || len(d.Features) != len(want.Features) || d.Limits != want.Limits {
		t.Errorf("the report is\n%s, want %+v", out.Bytes(), want)
	}
	if len(d.Measurements) == 0 || d.Measurements[0].Engine != netring.EngineNet || d.Measurements[0].RateRatio != 1 {
		t.Fatalf("measurements: %+v", d.Measurements)
	}
	for _, m := range d.Measurements {
		if m.Rate < 100 || m.RateRatio <= 0 {
			t.Errorf("%+v", m)
		}
	}
	if len(d.Advice) == 0 || d.CPUs < 1 || d.Go == "" {
		t.Errorf("%+v", d)
	}
}

func TestText(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-rounds", "1", "-d", "20ms"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"engine ", "kernel ", "open files", "messages/s", "net  "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing:\n%s", want, out.String())
		}
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "-1"}, {"-d", "0s"}, {"-d", "1h"}, {"x"}} {
		if err := run(args, new(bytes.Buffer)); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestAdvice(t *testing.T) {
	feature := func(oks ...bool) (fs []netring.Feature) {
		for _, ok := range oks {
			fs = append(fs, netring.Feature{Name: "F", Since: "9.9", Supported: ok})
		}
		return fs
	}
	measured := func(syscall, uring float64) []measurement {
		return []measurement{{Engine: netring.EngineNet, RateRatio: 1}, {Engine: netring.EngineSyscall, RateRatio: syscall}, {Engine: netring.EngineURing, RateRatio: uring}}
	}
	for _, tc := range []struct {
		name string
		d    diagnosis
		want string
		not  string // what no advice may contain, if not empty
	}{
		{"all well", diagnosis{Report: &netring.Report{Engine: netring.EngineURing, Features: feature(true)}, Measurements: measured(1.2, 1.2)}, "nothing to change", ""},
		{"the other engine is faster", diagnosis{Report: &netring.Report{Engine: netring.EngineURing, Features: feature(true)}, Measurements: measured(1.3, 1.1)}, "NETRING_ENGINE=syscall", ""},
		{"net is faster", diagnosis{Report: &netring.Report{Engine: netring.EngineURing, Features: feature(true)}, Measurements: measured(0.8, 0.8)}, "NETRING_ENGINE=net", ""},
		{"an old kernel", diagnosis{Report: &netring.Report{Engine: netring.EngineURing, Features: feature(false)}}, "Linux 9.9", ""},
		{"refused", diagnosis{Report: &netring.Report{Engine: netring.EngineSyscall, Reason: "the reason", Features: feature(false)}}, "the reason", "newer kernel"},
		{"refused in part", diagnosis{Report: &netring.Report{Engine: netring.EngineSyscall, Reason: "the reason", Features: feature(false, true)}}, "the reason", ""},
		{"not asked for", diagnosis{Report: &netring.Report{Engine: netring.EngineSyscall, Reason: "the reason"}}, "nothing to change", "the reason"},
		{"few files", diagnosis{Report: &netring.Report{Engine: netring.EngineNet, Limits: netring.Limits{OpenFiles: "1024/4096"}}}, "1024", ""},
	} {
		advice := advise(&tc.d)
		if tc.not != "" && strings.Contains(strings.Join(advice, "\n"), tc.not) {
			t.Errorf("%s: %q speaks of %q", tc.name, advice, tc.not)
		}
		if !slices.ContainsFunc(advice, func(a string) bool { return strings.Contains(a, tc.want) }) {
			t.Errorf("%s: %q does not speak of %q", tc.name, advice, tc.want)
		}
	}
}
