package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/netring-go/netring/bench/internal/load"
)

// runTLS is runMessages over TLS. Its clients are goroutines with crypto/tls on
// package net, since an epoll client of TLS would be too much to write. They cost as
// much CPU time as the server or more, which draws the requests/s of
// fast and slow servers together; the CPU time per request is not affected.
func (l *loader) runTLS() (res loadResult, err error) {
	l.answers = httpAnswers()
	workers := make([]*tlsWorker, l.job.Conns)
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range workers {
		c, err := dialTLS(l.job.Port)
		if err != nil {
			return res, err
		}
		defer c.Close() // which ends the worker, if it is not needed any more
		if err := c.SetDeadline(time.Now().Add(l.job.Warmup + l.job.Duration + 3*load.NoAnswer)); err != nil {
			return res, err
		}
		w := &tlsWorker{id: i, conn: c, answers: l.answers, hist: load.NewHistogram()}
		workers[i] = w
		// The first answer tells all workers how long answers are.
		if err := w.exchange(); err != nil {
			return res, err
		}
	}
	var count, stop atomic.Bool
	failed := make(chan error, len(workers))
	for _, w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := w.run(&count, &stop); err != nil {
				failed <- fmt.Errorf("connection %d: %w", w.id, err)
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

// dialTLS connects with TLS 1.3.
func dialTLS(port int) (*tls.Conn, error) {
	d := &net.Dialer{Timeout: connectTimeout}
	// The certificate is made by the server's process for this run only; the
	// answers say whether it is the right server.
	cfg := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	return tls.DialWithDialer(d, "tcp", fmt.Sprintf("127.0.0.1:%d", port), cfg)
}

// tlsWorker is one connection.
type tlsWorker struct {
	id      int
	conn    *tls.Conn
	answers *answers
	buf     [4 << 10]byte
	hist    *hdrhistogram.Histogram
	done    atomic.Int64
}

// run makes requests until stop, and counts while count.
func (w *tlsWorker) run(count, stop *atomic.Bool) error {
	for !stop.Load() {
		begin := time.Now()
		if err := w.exchange(); err != nil {
			if stop.Load() && errors.Is(err, net.ErrClosed) {
				return nil
			}
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

// exchange makes one request.
func (w *tlsWorker) exchange() error {
	if _, err := w.conn.Write([]byte(load.Request)); err != nil {
		return err
	}
	for got := 0; got == 0 || got < w.answers.length; {
		n, err := w.conn.Read(w.buf[:])
		if n > 0 {
			if err := w.answers.check(w.id, got, w.buf[:n]); err != nil {
				return err
			}
			if got += n; got > w.answers.length {
				return fmt.Errorf("an answer of %d bytes instead of %d", got, w.answers.length)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
