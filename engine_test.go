package netring

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net"
	"strings"
	"testing"
)

// NETRING_ENGINE=net makes everything package net's own.
func TestEngineNet(t *testing.T) {
	t.Setenv(EngineEnv, "net")
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

// A typing error must not pass for a choice.
func TestEngineEnvInvalid(t *testing.T) {
	awaitNoDefaultPoller(t)
	t.Setenv(EngineEnv, "urign")
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

// Probe and a Poller agree.
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
