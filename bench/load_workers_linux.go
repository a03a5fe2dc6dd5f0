package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/netring-go/netring/bench/internal/load"
)

// worker makes one request after the other, on a goroutine of its own.
//
// Workers are the clients of protocols that would be too much to write for an epoll
// loop. They cost as much CPU time as the server or more, which draws the requests/s
// of fast and slow servers together; the CPU time per request is not affected.
type worker struct {
	name     string
	exchange func() error // makes a request
	hist     *hdrhistogram.Histogram
	done     atomic.Int64
}

func newWorker(name string, exchange func() error) *worker {
	return &worker{name: name, exchange: exchange, hist: load.NewHistogram()}
}

// runWorkers has the workers make requests, and measures that. When it returns without
// an error, each has ended.
func (l *loader) runWorkers(workers []*worker) (res loadResult, err error) {
	var count, stop atomic.Bool
	var wg sync.WaitGroup
	failed := make(chan error, len(workers))
	for _, w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := w.run(&count, &stop); err != nil {
				failed <- fmt.Errorf("%s: %w", w.name, err)
			}
		}()
	}
	res, err = l.measure(func(until time.Time) error {
		count.Store(l.Counting)
		select {
		case err := <-failed:
			return err
		case <-time.After(time.Until(until)):
		}
		count.Store(false)
		l.Done = 0
		for _, w := range workers {
			l.Done += w.done.Load()
		}
		return nil
	})
	stop.Store(true)
	if err != nil {
		return res, err
	}
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(load.NoAnswer):
		return res, fmt.Errorf("a request had no answer within %v", load.NoAnswer)
	}
	select {
	case err := <-failed:
		return res, err
	default:
	}
	for _, w := range workers {
		if dropped := l.Hist.Merge(w.hist); dropped != 0 {
			return res, errors.New("a latency was too long for the histogram")
		}
	}
	res.P50 = time.Duration(l.Hist.ValueAtQuantile(50))
	res.P99 = time.Duration(l.Hist.ValueAtQuantile(99))
	return res, nil
}

// run makes requests until stop, and counts while count.
func (w *worker) run(count, stop *atomic.Bool) error {
	for !stop.Load() {
		begin := time.Now()
		if err := w.exchange(); err != nil {
			return err
		}
		if count.Load() {
			w.done.Add(1)
			if err := w.hist.RecordValue(int64(time.Since(begin))); err != nil {
				return err
			}
		}
	}
	return nil
}

// patience is how long all exchanges of the job may take together.
func (j loadJob) patience() time.Duration { return j.Warmup + j.Duration + 3*load.NoAnswer }
