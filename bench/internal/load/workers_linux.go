package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// worker makes one request after the other, on its own goroutine.
//
// Workers use the protocols that are too large to write for an epoll loop. They use at least as
// much CPU time as the server. Requests/s of fast and slow servers therefore differ less; the
// server's CPU time per request does not change.
type worker struct {
	conn     int // number of its connection
	exchange func() error
	hist     *hdrhistogram.Histogram
	done     atomic.Int64
}

// runWorkers runs the workers and measures. All workers have ended when it returns.
func (l *loader) runWorkers(workers []*worker) Result {
	var count, stop atomic.Bool
	ended := make(chan error, len(workers))
	for _, w := range workers {
		w.hist = newHistogram()
		go func() { ended <- w.run(&count, &stop) }()
	}
	res := l.measured(func(until time.Time) {
		count.Store(l.counting)
		select {
		case err := <-ended: // a worker failed
			stop.Store(true)
			panic(failure{err})
		case <-time.After(time.Until(until)):
		}
		count.Store(false)
		l.done = 0
		for _, w := range workers {
			l.done += w.done.Load()
		}
	})
	stop.Store(true)
	for range workers { // their connections have deadlines
		if err := <-ended; err != nil {
			panic(failure{err})
		}
	}
	for _, w := range workers {
		l.hist.Merge(w.hist)
	}
	l.latencies(&res)
	return res
}

// run makes requests until stop is true, and counts them while count is.
func (w *worker) run(count, stop *atomic.Bool) error {
	for !stop.Load() {
		begin := time.Now()
		if err := w.exchange(); err != nil {
			return fmt.Errorf("connection %d: %w", w.conn, err)
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

// patience is how long a job's exchanges may take in all.
func (l *loader) patience() time.Duration { return l.job.Warmup + l.job.Duration + 3*NoAnswer }

// runHTTPS makes requests over TLS 1.3.
func (l *loader) runHTTPS() Result {
	l.answers = httpAnswers(l.body())
	// The answers show that this is the right server, so the certificate need not.
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: NoAnswer}, Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}
	var workers []*worker
	for i := range l.job.Conns {
		conn, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.job.Port))
		check("dial", err)
		defer conn.Close() // when the job has ended, errors do not matter
		check("deadline", conn.SetDeadline(time.Now().Add(l.patience())))
		buf := make([]byte, 4<<10)
		w := &worker{conn: i, exchange: func() error { return l.request(conn, i, buf) }}
		// All workers need the length of answers, which the first answer shows.
		check("first request", w.exchange())
		workers = append(workers, w)
	}
	return l.runWorkers(workers)
}

// request makes a request on connection id. The first answer arrives in one piece.
func (l *loader) request(conn net.Conn, id int, buf []byte) error {
	if _, err := conn.Write([]byte(Request)); err != nil {
		return err
	}
	n, err := io.ReadAtLeast(conn, buf, max(len(l.answers.want), 1))
	if err == nil {
		err = l.answers.check(id, 0, buf[:n])
	}
	if err == nil && n > len(l.answers.want) {
		err = fmt.Errorf("an answer has %d bytes instead of %d", n, len(l.answers.want))
	}
	return err
}

// GRPCCalls is how many calls a gRPC connection has under way.
const GRPCCalls = 16

// runGRPC calls the method of health checks, GRPCCalls times at once on each connection.
func (l *loader) runGRPC() Result {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// With a deadline instead, each call would carry that in a header.
	defer time.AfterFunc(l.patience(), cancel).Stop()
	var workers []*worker
	for i := range l.job.Conns {
		conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", l.job.Port), grpc.WithNoProxy(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		check("dial", err)
		defer conn.Close() // as above
		health := grpc_health_v1.NewHealthClient(conn)
		exchange := func() error {
			answer, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
			if err == nil && answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
				err = fmt.Errorf("the server is %v", answer.Status)
			}
			return err
		}
		check("first call", exchange()) // connects
		for range GRPCCalls {
			workers = append(workers, &worker{conn: i, exchange: exchange})
		}
	}
	return l.runWorkers(workers)
}
