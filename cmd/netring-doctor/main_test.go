package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/internal/leakcheck"
)

// asDoctor in the environment makes the test binary the doctor. Its value is empty or
// names a sandbox of sandboxes, which the doctor enters first.
const asDoctor = "NETRING_TEST_DOCTOR"

func TestMain(m *testing.M) {
	sandbox, isDoctor := os.LookupEnv(asDoctor)
	if !isDoctor && os.Getenv(loadEnv) == "" {
		leakcheck.Main(m)
		return
	}
	if os.Getenv(loadEnv) == "" {
		enterSandbox(sandbox)
	}
	main()
}

// doctor is a run of the doctor in a process of its own, which has a default Poller of
// its own.
type doctor struct {
	status         int
	stdout, stderr string
}

func runDoctor(t *testing.T, env []string, args ...string) doctor {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return runCommand(t, exec.Command(exe, args...), env)
}

// runCommand runs a command that is or becomes this test binary.
func runCommand(t *testing.T, cmd *exec.Cmd, env []string) doctor {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// The race detector waits for a second at the end of a process, for more races.
	race := "GORACE=" + os.Getenv("GORACE") + " atexit_sleep_ms=0"
	cmd.Env = append(append(os.Environ(), asDoctor+"=", netring.EngineEnv+"=", race), env...)
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return doctor{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// report returns the JSON report of a run that succeeded.
func (r doctor) report(t *testing.T) *diagnosis {
	t.Helper()
	if r.status != exitOK || r.stderr != "" {
		t.Fatalf("status %d: %s%s", r.status, r.stderr, r.stdout)
	}
	d := new(diagnosis)
	if err := json.Unmarshal([]byte(r.stdout), d); err != nil {
		t.Fatalf("%v in %s", err, r.stdout)
	}
	d.check(t)
	return d
}

// check checks that the parts of a report agree.
func (d *diagnosis) check(t *testing.T) {
	t.Helper()
	if d.Report == nil || d.Default == nil || d.Default.Engine != d.Engine || d.Reason == "" || d.Kernel == "" || len(d.Advice) == 0 {
		t.Fatalf("the report is %+v with the default Poller %+v", d.Report, d.Default)
	}
	if d.Default.Reason != "" && d.Default.Reason != d.Reason {
		t.Errorf("Probe's reason is %q, the default Poller's %q", d.Reason, d.Default.Reason)
	}
	m := d.Measurement
	if (m == nil) != (d.NotMeasured != "") {
		t.Fatalf("measurement %+v, not measured because %q", m, d.NotMeasured)
	}
	if m == nil {
		return
	}
	if m.Engines[len(m.Engines)-1].Engine != d.Engine || m.Engines[0].Engine != netring.EngineNet {
		t.Errorf("the engines measured are %v and %v first and last; want net and %v", m.Engines[0].Engine, m.Engines[len(m.Engines)-1].Engine, d.Engine)
	}
	for _, e := range m.Engines {
		if len(e.Rate) != m.Rounds || len(e.CPU) != 0 && len(e.CPU) != m.Rounds {
			t.Errorf("%v has %d rates and %d CPU times of %d rounds", e.Engine, len(e.Rate), len(e.CPU), m.Rounds)
		}
		for _, rate := range e.Rate {
			if rate < 10 {
				t.Errorf("%v: %v messages/s", e.Engine, rate)
			}
		}
	}
	if n := len(m.Engines); len(m.Comparisons) != n*(n-1)/2 {
		t.Errorf("%d comparisons of %d engines", len(m.Comparisons), n)
	}
	for _, c := range m.Comparisons {
		c.Rate.check(t)
		if c.CPU != nil {
			c.CPU.check(t)
		}
	}
}

// check checks that a figure does not contradict itself.
func (f figure) check(t *testing.T) {
	t.Helper()
	if math.Abs(f.Engine/f.Against-f.Ratio) > 1e-9*f.Ratio || f.Low > f.Ratio || f.High < f.Ratio {
		t.Errorf("the figures contradict each other: %+v", f)
	}
	if f.Verdict == higher && (f.Low <= 1 || f.Engine <= f.Against) || f.Verdict == lower && (f.High >= 1 || f.Engine >= f.Against) {
		t.Errorf("the verdict contradicts the figures: %+v", f)
	}
}

func TestReport(t *testing.T) {
	d := runDoctor(t, []string{"GOMAXPROCS=1"}, "-json", "-rounds", "5", "-d", "20ms").report(t)
	if d.Go != runtime.Version() || d.CPUs != runtime.NumCPU() || d.GOMAXPROCS != 1 {
		t.Errorf("%s, %d CPUs, GOMAXPROCS %d", d.Go, d.CPUs, d.GOMAXPROCS)
	}
	if runtime.GOOS == "linux" && (d.Default.Reactors != 1 || len(d.Features) == 0 || d.Limits.OpenFiles == "" || d.Limits.LockedMemory == "" || d.Measurement == nil) {
		t.Errorf("%+v, %+v, %+v", d, d.Report, d.Default)
	}
	if m := d.Measurement; m != nil && (m.Rounds != 5 || m.Turn.Milliseconds() != 20) {
		t.Errorf("%d rounds of %v", m.Rounds, m.Turn)
	}
}

func TestText(t *testing.T) {
	r := runDoctor(t, nil, "-rounds", "1", "-d", "20ms")
	if r.status != exitOK || r.stderr != "" {
		t.Fatalf("status %d: %s", r.status, r.stderr)
	}
	want := []string{"engine ", "kernel ", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "GOMAXPROCS"}
	if runtime.GOOS == "linux" {
		want = append(want, "default Poller", "messages/s", "against net", string(unknown))
	}
	for _, want := range want {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is missing:\n%s", want, r.stdout)
		}
	}
}

// With package net there is nothing to measure, and the doctor says what that means.
func TestEngineNet(t *testing.T) {
	env := []string{netring.EngineEnv + "=net"}
	d := runDoctor(t, env, "-json").report(t)
	if d.Engine != netring.EngineNet || d.Measurement != nil || d.Features != nil {
		t.Errorf("%+v", d)
	}
	r := runDoctor(t, env)
	if r.status != exitOK || !strings.Contains(r.stdout, "Not measured: package net serves everything") ||
		!strings.Contains(r.stdout, "Listen and Dial return package net's own types") {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
}

func TestEngineUnknown(t *testing.T) {
	for _, args := range [][]string{nil, {"-json"}} {
		r := runDoctor(t, []string{netring.EngineEnv + "=bogus"}, args...)
		if r.status != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, `NETRING_ENGINE is "bogus"; use auto, uring, syscall or net`) {
			t.Errorf("%q: status %d: %s%s", args, r.status, r.stdout, r.stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"-h", "-help"} {
		r := runDoctor(t, nil, arg)
		if r.status != exitOK || r.stderr != "" || !strings.HasPrefix(r.stdout, "Usage:") || !strings.Contains(r.stdout, "-rounds") {
			t.Errorf("%s: status %d: %s%s", arg, r.status, r.stdout, r.stderr)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-unknown"}, {"argument"}, {"-rounds", "-1"}, {"-rounds", "101"}, {"-rounds", "many"}, {"-d", "0s"}, {"-d", "1h"},
	} {
		r := runDoctor(t, nil, args...)
		if r.status != exitUsage || r.stdout != "" || strings.Count(r.stderr, "Usage:") != 1 ||
			!strings.Contains(r.stderr, strings.TrimPrefix(args[len(args)-1], "-")) {
			t.Errorf("%q: status %d: %s%s", args, r.status, r.stdout, r.stderr)
		}
	}
}
