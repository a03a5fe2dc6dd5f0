package load

import (
	"errors"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/netring-go/netring/bench/internal/proc"
)

// NoAnswer is how long after the end of its turn a server may still give its first
// answer.
const NoAnswer = 5 * time.Second

// Meter counts the requests of one turn.
type Meter struct {
	Counting bool                    // what is done counts now
	Done     int64                   // what was done since it does
	Unit     int64                   // how much of Done is a request
	Hist     *hdrhistogram.Histogram // the latencies of requests, in ns
}

// NewMeter returns a Meter on which 1 counts as a request.
func NewMeter() Meter { return Meter{Unit: 1, Hist: NewHistogram()} }

// NewHistogram returns a histogram for latencies in ns, of up to a minute.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, int64(time.Minute), 3) }

// Completed counts n requests that were started at the time since and have just had
// their answers, if they count. It fails if that took more than about a minute.
func (m *Meter) Completed(since, now time.Time, n int64) error {
	if !m.Counting {
		return nil
	}
	m.Done += n
	return m.Hist.RecordValue(int64(now.Sub(since)))
}

// Measure runs loop for a time d and returns what was done in it, and how much CPU
// time the process pid used. It returns loop's error, and one if no request was
// answered.
func (m *Meter) Measure(pid int, d time.Duration, loop func(until time.Time) error) (res Result, err error) {
	before, err := proc.CPUTime(pid)
	if err != nil {
		return res, err
	}
	m.Counting, m.Done = true, 0
	begin := time.Now()
	end := begin.Add(d)
	if err := loop(end); err != nil {
		return res, err
	}
	// A short turn on a machine that paused it may have seen no answer at all.
	for m.Done < m.Unit && time.Since(end) < NoAnswer {
		if err := loop(time.Now().Add(10 * time.Millisecond)); err != nil {
			return res, err
		}
	}
	res.Elapsed = time.Since(begin)
	m.Counting = false
	after, err := proc.CPUTime(pid)
	if err != nil {
		return res, err
	}
	res.CPU = after - before
	res.Requests = m.Done / m.Unit
	res.P50 = time.Duration(m.Hist.ValueAtQuantile(50))
	res.P99 = time.Duration(m.Hist.ValueAtQuantile(99))
	if res.Requests == 0 {
		return res, errors.New("no request was answered")
	}
	return res, nil
}
