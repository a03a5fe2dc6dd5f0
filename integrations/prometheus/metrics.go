package netringprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/netring-go/netring"
)

// metric is a metric that a T has the value of.
type metric[T any] struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*T) float64
}

func (m metric[T]) of(from *T, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(m.desc, m.kind, m.value(from), labels...)
}

// desc describes a metric. Its name is netring_ and the name of the Stats field in JSON.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("netring_"+name, help, labels, nil)
}

// perReactor is the label of a metric of which each reactor has its own.
const perReactor = "reactor"

var (
	info        = desc("info", "The engine in use, and why it is not the ring, as labels of a constant 1.", "engine", "reason")
	reactorInfo = desc("reactor_info", "The engine of a reactor, as a label of a constant 1.", perReactor, "engine")
	batchSizes  = desc("batch_sizes", "Submissions to the kernel by their number of operations.", perReactor)
)

func total(name, help string, value func(*netring.Stats) uint64) metric[netring.Stats] {
	return metric[netring.Stats]{
		desc(name+"_total", help),
		prometheus.CounterValue,
		func(s *netring.Stats) float64 { return float64(value(s)) },
	}
}

var reactors = metric[netring.Stats]{
	desc("reactors", "Reactors that serve connections; listeners have another one."),
	prometheus.GaugeValue,
	func(s *netring.Stats) float64 { return float64(s.Reactors) },
}

// ofPoller are the metrics that a Poller counts itself.
var ofPoller = []metric[netring.Stats]{
	total("accepted", "Connections that Accept returned.",
		func(s *netring.Stats) uint64 { return s.Accepted }),
	total("dialled", "Connections that a Dialer made.",
		func(s *netring.Stats) uint64 { return s.Dialled }),
	total("taken_over", "Connections that FileConn or WrapConn took over.",
		func(s *netring.Stats) uint64 { return s.TakenOver }),
	total("accept_backoffs", "Temporary errors of Accept: a lack of descriptors or memory.",
		func(s *netring.Stats) uint64 { return s.AcceptBackoffs }),
}

func counter(name, help string, value func(*netring.Counters) uint64) metric[netring.Counters] {
	return metric[netring.Counters]{
		desc(name+"_total", help, perReactor),
		prometheus.CounterValue,
		func(c *netring.Counters) float64 { return float64(value(c)) },
	}
}

func gauge(name, help string, value func(*netring.Counters) int) metric[netring.Counters] {
	return metric[netring.Counters]{
		desc(name, help, perReactor),
		prometheus.GaugeValue,
		func(c *netring.Counters) float64 { return float64(value(c)) },
	}
}

var descriptors = gauge("descriptors", "Open connections and listeners.",
	func(c *netring.Counters) int { return c.Descriptors })

// ofReactor are the metrics that each reactor counts. descriptors is one of them, and
// batchSizes stands for BatchSizes.
var ofReactor = []metric[netring.Counters]{
	gauge("connections", "Open connections.",
		func(c *netring.Counters) int { return c.Connections }),
	counter("opened", "Connections that were opened.",
		func(c *netring.Counters) uint64 { return c.Opened }),
	counter("closed", "Connections that were closed or detached.",
		func(c *netring.Counters) uint64 { return c.Closed }),
	gauge("waiting", "Calls that wait now.",
		func(c *netring.Counters) int { return c.Waiting }),
	counter("bytes_in", "Bytes received, also by splice.",
		func(c *netring.Counters) uint64 { return c.BytesIn }),
	counter("bytes_out", "Bytes sent, also by sendfile and splice.",
		func(c *netring.Counters) uint64 { return c.BytesOut }),
	counter("batches", "Submissions to the kernel.",
		func(c *netring.Counters) uint64 { return c.Batches }),
	counter("ops", "Operations in submissions.",
		func(c *netring.Counters) uint64 { return c.Ops }),
	counter("single", "Submissions of one operation, which the ring engine makes as a system call.",
		func(c *netring.Counters) uint64 { return c.Single }),
	counter("inline", "Submissions by the calling goroutine, because its reactor was asleep.",
		func(c *netring.Counters) uint64 { return c.Inline }),
	counter("direct", "Operations that bypassed the batches: the calling goroutine made the system call.",
		func(c *netring.Counters) uint64 { return c.Direct }),
	counter("pumped", "Pieces that io.Copy passed from one connection to another inside the reactors.",
		func(c *netring.Counters) uint64 { return c.Pumped }),
	counter("again", "Operations, in batches or direct, that found nothing to do (EAGAIN).",
		func(c *netring.Counters) uint64 { return c.Again }),
	counter("polls", "Checks of a reactor's epoll descriptor.",
		func(c *netring.Counters) uint64 { return c.Polls }),
	counter("events", "Readiness events.",
		func(c *netring.Counters) uint64 { return c.Events }),
	counter("parks", "Times a reactor went to sleep; an event woke it up.",
		func(c *netring.Counters) uint64 { return c.Parks }),
	counter("leads", "Times a waiting call watched for events in place of its reactor's goroutine.",
		func(c *netring.Counters) uint64 { return c.Leads }),
	counter("loops", "Times a reactor's goroutine started.",
		func(c *netring.Counters) uint64 { return c.Loops }),
	counter("stale", "Completions that belonged to no operation. A value other than 0 means a bug.",
		func(c *netring.Counters) uint64 { return c.Stale }),
	gauge("demoted", "Features of io_uring that failed at run time and are no longer used.",
		func(c *netring.Counters) int { return c.Demoted }),
	gauge("read_buffers", "Shared receive buffers, with or without committed memory.",
		func(c *netring.Counters) int { return c.ReadBuffers.Buffers }),
	gauge("read_buffers_in_use", "Shared receive buffers that hold bytes now, leases included.",
		func(c *netring.Counters) int { return c.ReadBuffers.InUse }),
	counter("read_buffers_taken", "Times that a shared receive buffer was handed out.",
		func(c *netring.Counters) uint64 { return c.ReadBuffers.Taken }),
	counter("read_buffers_empty", "Times that no shared receive buffer was left.",
		func(c *netring.Counters) uint64 { return c.ReadBuffers.Empty }),
}
