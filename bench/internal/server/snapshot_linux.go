package server

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/bench/internal/report"
)

// SnapshotRequest is what a server is asked for. It answers with its counters.
type SnapshotRequest struct {
	Memory   bool // collect garbage, give free memory back to the system, and look at what is left
	Reactors int  // make a Poller with so many of them before
}

// snapshot answers a request.
func (s *server) snapshot(r SnapshotRequest) (c report.Counters, err error) {
	if r.Reactors > 0 {
		p, err := netring.NewPoller(netring.Config{Engine: engines[s.cfg.Stack], Reactors: r.Reactors})
		if err != nil {
			return c, err
		}
		s.pollers = append(s.pollers, p)
	}
	for _, p := range s.pollers {
		st := p.Stats()
		c.Batches += st.Batches
		c.Ops += st.Ops
	}
	for _, l := range s.listeners {
		c.Accepted = append(c.Accepted, l.n.Load())
	}
	waited := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(waited)
	c.Waited = time.Duration(waited[0].Value.Float64() * float64(time.Second))
	if !r.Memory {
		return c, nil
	}
	debug.FreeOSMemory()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	c.Heap, c.Stack, c.Goroutines = int64(ms.HeapAlloc), int64(ms.StackInuse), int64(runtime.NumGoroutine())
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return c, err
	}
	c.Descriptors = int64(len(fds))
	maps, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return c, err
	}
	_, rss, _ := bytes.Cut(maps, []byte("\nRss:"))
	_, err = fmt.Sscan(string(rss), &c.Resident)
	c.Resident <<= 10
	return c, err
}
