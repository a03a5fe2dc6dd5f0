package netring

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net"
	"reflect"
	"strings"
	"testing"
)

// setEngine sets EngineEnv for the test. A default Poller from before or from the test
// would outlive the change, so setEngine waits for its end.
func setEngine(t testing.TB, value string) {
	t.Helper()
	awaitNoDefaultPoller(t)
	t.Cleanup(func() { awaitNoDefaultPoller(t) })
	t.Setenv(EngineEnv, value)
}

// With NETRING_ENGINE=net, listeners and connections have package net's types.
func TestEngineNet(t *testing.T) {
	setEngine(t, "net")
	p, err := NewPoller(Config{Engine: EngineURing})
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.Engine != EngineNet {
		t.Errorf("the engine is %v", s.Engine)
	}
	for _, poller := range []*Poller{nil, p} {
		lc := ListenConfig{Poller: poller}
		ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		d := Dialer{Poller: poller}
		c, err := d.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := ln.(*net.TCPListener); !ok {
			t.Errorf("Listen returns a %T", ln)
		}
		if _, ok := c.(*net.TCPConn); !ok {
			t.Errorf("Dial returns a %T", c)
		}
		if err := errors.Join(c.Close(), ln.Close()); err != nil {
			t.Error(err)
		}
	}
	r, err := Probe()
	if err != nil || r.Engine != EngineNet || r.Features != nil {
		t.Errorf("the report is %+v, %v", r, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// An unknown engine in the environment is an error.
func TestEngineEnvInvalid(t *testing.T) {
	setEngine(t, "urign")
	_, perr := NewPoller(Config{})
	_, lerr := Listen("tcp", "127.0.0.1:0")
	_, derr := Dial("tcp", "127.0.0.1:1")
	_, rerr := Probe()
	for what, err := range map[string]error{"NewPoller": perr, "Listen": lerr, "Dial": derr, "Probe": rerr} {
		if err == nil {
			t.Errorf("%s accepted it", what)
			continue
		}
		for _, want := range []string{EngineEnv, `"urign"`, "auto, uring, syscall or net"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, which does not speak of %s", what, err, want)
			}
		}
	}
	var oe *net.OpError
	if !errors.As(lerr, &oe) || oe.Op != "listen" || !errors.As(derr, &oe) || oe.Op != "dial" {
		t.Errorf("not an OpError: %v, %v", lerr, derr)
	}
}

func TestEngineText(t *testing.T) {
	for _, e := range []Engine{EngineAuto, EngineURing, EngineSyscall, EngineNet} {
		var got Engine
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		fs.TextVar(&got, "engine", EngineAuto, "")
		if err := fs.Parse([]string{"-engine", e.String()}); err != nil || got != e {
			t.Errorf("%v: %v, %v", e, got, err)
		}
		b, err := json.Marshal(e)
		if err != nil || string(b) != `"`+e.String()+`"` {
			t.Errorf("%v: %s, %v", e, b, err)
		}
	}
}

// The texts for unknown engines stay the same: programs and monitoring read them.
func TestEngineTextUnknown(t *testing.T) {
	if got := Engine(9).String(); got != "Engine(9)" {
		t.Errorf("String: %q", got)
	}
	e := EngineSyscall
	err := e.UnmarshalText([]byte("urign"))
	if e != EngineSyscall || err == nil || err.Error() != `netring: engine "urign" is unknown; use auto, uring, syscall or net` {
		t.Errorf("UnmarshalText: %v, %v", e, err)
	}
}

func TestReportJSON(t *testing.T) {
	report := Report{
		Kernel: "6.18", Engine: EngineURing, Reason: "why",
		Features: []Feature{{Name: "F", Since: "5.6", Without: "nothing", Supported: true}, {Name: "G", Reason: "no"}},
		Limits:   Limits{"1/2", "3/4", "off", "0", "-1"},
	}
	got, err := json.Marshal(report)
	const want = `{"kernel":"6.18","engine":"uring","reason":"why",` +
		`"features":[{"name":"F","since":"5.6","without":"nothing","supported":true},{"name":"G","since":"","without":"","supported":false,"reason":"no"}],` +
		`"limits":{"open_files":"1/2","locked_memory":"3/4","seccomp":"off","io_uring_disabled":"0","io_uring_group":"-1"}}`
	if string(got) != want || err != nil {
		t.Errorf("%s, %v; want\n%s", got, err, want)
	}
	var back Report
	if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, report) {
		t.Errorf("%+v, %v", back, err)
	}
}

// Probe and a Poller report the same engine.
func TestProbe(t *testing.T) {
	awaitNoDefaultPoller(t)
	r, err := Probe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPoller(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if s := p.Stats(); s.Engine != r.Engine || r.Reason == "" || r.Kernel == "" {
		t.Errorf("the report is %+v, and auto is %v", r, s.Engine)
	}
}
