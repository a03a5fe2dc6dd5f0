package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"

	"github.com/netring-go/netring"
)

// diagnosis is everything that the doctor finds. -json prints a diagnosis as JSON.
type diagnosis struct {
	*netring.Report
	Default     *defaultPoller `json:"default_poller,omitempty"` // nil if netring cannot listen
	ListenError string         `json:"listen_error,omitempty"`   // why netring cannot listen
	Go          string         `json:"go"`
	CPUs        int            `json:"cpus"`
	GOMAXPROCS  int            `json:"gomaxprocs"`

	// Measurement is nil if there is nothing to measure or if the measurement failed.
	Measurement      *measurement `json:"measurement,omitempty"`
	MeasurementError string       `json:"measurement_error,omitempty"`
	NotMeasured      string       `json:"not_measured,omitempty"` // why there is nothing to measure

	Advice []string `json:"advice"`
}

// defaultPoller is what the default Poller runs, from netring.DefaultStats.
type defaultPoller struct {
	Engine   netring.Engine `json:"engine"`
	Reason   string         `json:"reason,omitempty"` // why not the ring
	Reactors int            `json:"reactors"`
}

// failed reports whether a part of the diagnosis failed.
func (d *diagnosis) failed() bool { return d.ListenError != "" || d.MeasurementError != "" }

// diagnose examines the machine. It keeps the default Poller in use from beginning to
// end. So the report, the counters and the measurement are about the same Poller, and
// nothing else of this process competes for the memory that the rings lock.
func diagnose(o *options) (_ *diagnosis, err error) {
	ln, listenErr := netring.Listen("tcp", "127.0.0.1:0")
	if listenErr == nil {
		defer func() { err = errors.Join(err, ln.Close()) }()
	}
	report, err := netring.Probe()
	if err != nil {
		return nil, err
	}
	d := &diagnosis{Report: report, Go: runtime.Version(), CPUs: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0)}
	if listenErr != nil {
		d.ListenError = listenErr.Error()
		d.Advice = advise(d)
		return d, nil
	}
	if err := d.observe(netring.DefaultStats()); err != nil {
		return nil, err
	}
	d.measure(o)
	// A ring that broke down meanwhile changes the answer.
	if s := netring.DefaultStats(); s.Engine != d.Engine {
		d.Engine, d.Reason = s.Engine, s.EngineReason
		d.Default.Engine, d.Default.Reason = s.Engine, s.EngineReason
	}
	d.Advice = advise(d)
	return d, nil
}

// observe adds what the default Poller runs. Probe's answer must be the same: a
// difference is a bug in netring, and a report of it would mislead.
func (d *diagnosis) observe(s netring.Stats) error {
	d.Default = &defaultPoller{Engine: s.Engine, Reason: s.EngineReason, Reactors: s.Reactors}
	if s.Engine != d.Engine || s.EngineReason != "" && s.EngineReason != d.Reason {
		return fmt.Errorf("this is a bug in netring, please report it: Probe says that the engine is %v (%s), and the default Poller runs %v (%s)",
			d.Engine, d.Reason, s.Engine, cmp.Or(s.EngineReason, "no reason"))
	}
	return nil
}

// measure adds a measurement, or why there is none.
func (d *diagnosis) measure(o *options) {
	switch {
	case d.Engine == netring.EngineNet:
		d.NotMeasured = "package net serves everything, so there is nothing to compare"
	case o.rounds == 0:
		d.NotMeasured = "-rounds is 0"
	default:
		m, err := measure(d.Engine, o.rounds, o.turn)
		if err != nil {
			d.MeasurementError = err.Error()
			return
		}
		d.Measurement = m
	}
}
