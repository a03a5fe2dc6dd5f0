package load

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// worker makes one request after the other, on a goroutine of its own.
//
// Workers speak the protocols that are too large to write for an epoll loop. They cost
// as much CPU time as the server or more, so requests/s of fast and slow servers differ
// less; the CPU time per request is not affected.
type worker struct {
	conn     int // number of its connection
	exchange func() error
	hist     *hdrhistogram.Histogram
	done     atomic.Int64
}

// runWorkers has the workers make requests, and measures that. When it returns, each
// has ended.
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
		case err := <-ended: // too early
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
	for range workers { // they have deadlines
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

// run makes requests until stop, and counts while count.
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

// patience is how long all exchanges may take together.
func (l *loader) patience() time.Duration { return l.job.Warmup + l.job.Duration + 3*NoAnswer }

// runHTTPS makes requests over TLS 1.3.
func (l *loader) runHTTPS() Result {
	l.answers = httpAnswers()
	// The certificate is made by the server's process for this run only; the answers
	// say whether it is the right server.
	d := &tls.Dialer{NetDialer: &net.Dialer{Timeout: NoAnswer}, Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}
	var workers []*worker
	for i := range l.job.Conns {
		conn, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.job.Port))
		check("dial", err)
		defer conn.Close() // errors do not matter any more
		check("deadline", conn.SetDeadline(time.Now().Add(l.patience())))
		buf := make([]byte, 4<<10)
		w := &worker{conn: i, exchange: func() error { return l.request(conn, i, buf) }}
		// The first answer tells all workers how long answers are.
		check("first request", w.exchange())
		workers = append(workers, w)
	}
	return l.runWorkers(workers)
}

// request makes a request on the connection with the number id.
func (l *loader) request(conn net.Conn, id int, buf []byte) error {
	if _, err := conn.Write([]byte(Request)); err != nil {
		return err
	}
	for got := 0; got == 0 || got < len(l.answers.want); {
		n, err := conn.Read(buf)
		if err == nil {
			err = l.answers.check(id, got, buf[:n])
		}
		if got += n; err == nil && got > len(l.answers.want) {
			err = fmt.Errorf("an answer of %d bytes instead of %d", got, len(l.answers.want))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// GRPCCalls is how many calls a gRPC connection has under way.
const GRPCCalls = 16

// runGRPC calls a method that does next to nothing, GRPCCalls times at once on each
// connection.
func (l *loader) runGRPC() Result {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Not a deadline: each call would carry it.
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
