// Package netringprom exports netring's counters to Prometheus. README.md lists the
// metrics, and dashboard.json shows them in Grafana.
package netringprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/netring-go/netring"
)

var _ prometheus.Collector = collector{}

// NewCollector returns a Collector of the Stats of p. nil means the default Poller, see
// [netring.DefaultStats]. Each scrape takes new Stats. All methods may be called
// concurrently. A registered Poller stays reachable, also after Close.
//
// A program with several Pollers tells them apart by a label, which
// [prometheus.WrapRegistererWith] adds.
//
// Where package net runs everything, outside Linux and with EngineNet, the Collector
// exports netring_info, netring_reactors and netring_descriptors only.
func NewCollector(p *netring.Poller) prometheus.Collector {
	if p == nil {
		return collector{netring.DefaultStats}
	}
	return collector{p.Stats}
}

type collector struct{ stats func() netring.Stats }

// Describe implements prometheus.Collector.
func (collector) Describe(descs chan<- *prometheus.Desc) {
	descs <- info
	descs <- reactorInfo
	descs <- batchSizes
	descs <- reactors.desc
	descs <- descriptors.desc
	for _, m := range ofPoller {
		descs <- m.desc
	}
	for _, m := range ofReactor {
		descs <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.stats()
	metrics <- present(info, s.Engine.String(), s.EngineReason)
	metrics <- reactors.of(&s)
	if s.Engine == netring.EngineNet {
		// Nothing else is counted. An empty label is no label.
		metrics <- descriptors.of(&s.Counters, "")
		return
	}
	for _, m := range ofPoller {
		metrics <- m.of(&s)
	}
	for i := range s.PerReactor {
		r := &s.PerReactor[i]
		metrics <- present(reactorInfo, r.Name, r.Engine.String())
		metrics <- descriptors.of(&r.Counters, r.Name)
		for _, m := range ofReactor {
			metrics <- m.of(&r.Counters, r.Name)
		}
		metrics <- histogram(&r.Counters, r.Name)
	}
}

// present returns a metric whose labels are the information.
func present(d *prometheus.Desc, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, 1, labels...)
}

// histogram returns the sizes of a reactor's submissions. Their sum is the number of
// operations.
func histogram(c *netring.Counters, reactor string) prometheus.Metric {
	limits := netring.BatchSizeLimits()
	buckets := make(map[float64]uint64, len(limits)-1)
	var submissions uint64
	for i, n := range c.BatchSizes {
		submissions += n
		if limits[i] != 0 { // the last class is in no bucket but +Inf
			buckets[float64(limits[i])] = submissions
		}
	}
	return prometheus.MustNewConstHistogram(batchSizes, submissions, float64(c.Ops), buckets, reactor)
}
