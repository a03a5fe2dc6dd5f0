package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netring-go/netring"
)

// The load: each connection sends a message and waits for its echo, again and again.
const (
	messageSize = 128
	connections = 32
)

// loadEnv in the environment makes this program the load generator. Its value is an
// address and a duration, separated by a comma.
const loadEnv = "NETRING_DOCTOR_LOAD"

// measurement is the result of one engine.
type measurement struct {
	Engine    netring.Engine `json:"engine"`
	Rate      float64        `json:"messages_per_second"`
	CPU       float64        `json:"cpu_us_per_message"` // of the server process; 0: unknown
	RateRatio float64        `json:"rate_ratio"`         // the median of the rounds' ratios to net
	CPURatio  float64        `json:"cpu_ratio"`
}

// measure serves echo with net and with each available engine, in turns of random
// order. A child process makes the load.
func measure(report *netring.Report, rounds int, turn time.Duration) (ms []measurement, err error) {
	kinds := []netring.Engine{netring.EngineNet}
	switch report.Engine {
	case netring.EngineURing:
		kinds = append(kinds, netring.EngineSyscall, netring.EngineURing)
	case netring.EngineSyscall:
		kinds = append(kinds, netring.EngineSyscall)
	}
	// The environment must not choose the engine: measure compares all of them.
	if v, ok := os.LookupEnv(netring.EngineEnv); ok {
		if err := os.Unsetenv(netring.EngineEnv); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.Setenv(netring.EngineEnv, v)) }()
	}
	rates, cpus := make([][]float64, len(kinds)), make([][]float64, len(kinds))
	for range rounds {
		for _, i := range rand.Perm(len(kinds)) {
			rate, cpu, err := serveTurn(kinds[i], turn)
			if err != nil {
				return nil, fmt.Errorf("measure %v: %w", kinds[i], err)
			}
			rates[i], cpus[i] = append(rates[i], rate), append(cpus[i], cpu)
		}
	}
	for i, kind := range kinds {
		ms = append(ms, measurement{kind, median(rates[i]), median(cpus[i]), median(ratios(rates[i], rates[0])), median(ratios(cpus[i], cpus[0]))})
	}
	return ms, nil
}

// serveTurn serves one turn and returns messages per second and the CPU time of
// this process per message, in microseconds.
func serveTurn(engine netring.Engine, turn time.Duration) (rate, cpu float64, err error) {
	p, err := netring.NewPoller(netring.Config{Engine: engine})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	lc := netring.ListenConfig{Poller: p}
	ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return // the listener was closed
			}
			served.Go(func() {
				defer c.Close()
				// The copy ends when the load generator closes the connection, perhaps in the
				// middle of a message.
				_, _ = io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{c}, make([]byte, 4096))
			})
		}
	})
	defer served.Wait()
	defer func() { err = errors.Join(err, ln.Close()) }()
	exe, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s,%v", loadEnv, ln.Addr(), turn))
	cmd.Stderr = os.Stderr
	before := processTime()
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("run the load generator: %w", err)
	}
	after := processTime()
	n, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil || n == 0 {
		return 0, 0, fmt.Errorf("the load generator printed %q instead of a number of messages; use a longer turn, see -d", out)
	}
	return n / turn.Seconds(), float64((after - before).Nanoseconds()) / 1e3 / n, nil
}

// runLoad is the load generator: it writes to out the number of messages that came
// back.
func runLoad(job string, out io.Writer) error {
	addr, d, ok := strings.Cut(job, ",")
	turn, err := time.ParseDuration(d)
	if !ok || err != nil {
		return fmt.Errorf("%s is %q; use an address and a duration, such as 127.0.0.1:80,1s", loadEnv, job)
	}
	var total atomic.Int64
	errs := make(chan error, connections)
	end := time.Now().Add(turn)
	for range connections {
		go func() { errs <- ping(addr, end, &total) }()
	}
	for range connections {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, total.Load())
	return err
}

// ping sends messages until end, and waits for the echo of each. It counts the echoes in
// total.
func ping(addr string, end time.Time, total *atomic.Int64) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	// An engine that hangs must not make the doctor hang.
	if err := c.SetDeadline(end.Add(10 * time.Second)); err != nil {
		return err
	}
	msg := make([]byte, messageSize)
	for time.Now().Before(end) {
		if _, err := c.Write(msg); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, msg); err != nil {
			return err
		}
		total.Add(1)
	}
	return nil
}

func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		if b[i] != 0 {
			r[i] = a[i] / b[i]
		}
	}
	return r
}

func median(vs []float64) float64 {
	vs = slices.Sorted(slices.Values(vs))
	n := len(vs)
	return (vs[(n-1)/2] + vs[n/2]) / 2
}
