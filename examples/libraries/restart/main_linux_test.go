package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/examples/internal/exampletest"
)

// tableflip waits for the new process as long as the old one runs.
func TestMain(m *testing.M) {
	exampletest.Main(m, main, goleak.IgnoreAnyFunction("github.com/cloudflare/tableflip.(*child).waitExit"))
}

// client sends requests one after the other. It repeats none: an error is a lost request,
// also where http.Client would send the request again.
type client struct {
	addr     string
	requests int // to send on a connection, 0: as many as the server lets
	conn     net.Conn
	in       *bufio.Reader
	sent     int // on conn
}

// get sends a request and returns the answer's body.
func (c *client) get() (body string, err error) {
	if c.conn == nil {
		c.conn, err = net.Dial("tcp", c.addr)
		if err != nil {
			return "", err
		}
		c.in, c.sent = bufio.NewReader(c.conn), 0
		c.conn.SetDeadline(time.Now().Add(60 * time.Second))
	}
	if _, err := io.WriteString(c.conn, "GET / HTTP/1.1\r\nHost: example\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	c.sent++
	if resp.Close || c.sent == c.requests {
		c.close()
	}
	return string(text), nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// load is clients that send requests until stop.
type load struct {
	wg       sync.WaitGroup
	stopping atomic.Bool
	answered []atomic.Int64 // requests, by client

	mu   sync.Mutex
	errs []error        // lost requests
	from map[string]int // answers by body
}

// maxRequests is the most requests that a client sends.
const maxRequests = 200_000

func start(addr string, clients int) *load {
	l := &load{answered: make([]atomic.Int64, clients), from: make(map[string]int)}
	for i := range clients {
		l.wg.Go(func() {
			c := &client{addr: addr, requests: []int{0, 0, 1, 10}[i%4]}
			defer c.close()
			for n := 0; n < maxRequests && !l.stopping.Load(); n++ {
				body, err := c.get()
				l.mu.Lock()
				if err != nil {
					l.errs = append(l.errs, fmt.Errorf("client %d, request %d: %w", i, n, err))
					c.close()
				}
				l.from[body]++
				l.mu.Unlock()
				l.answered[i].Add(1)
			}
		})
	}
	return l
}

// more waits until each client has sent n more requests.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	targets := make([]int64, len(l.answered))
	for i := range targets {
		targets[i] = l.answered[i].Load() + n
	}
	within(t, fmt.Sprintf("%d more requests of each client", n), func(ctx context.Context) error {
		for i, target := range targets {
			for l.answered[i].Load() < target {
				if err := wait(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// within fails the test if f takes too long.
func within(t *testing.T, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// wait waits for a moment.
func wait(ctx context.Context) error {
	select {
	case <-time.After(time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stats returns what the process that accepts the next connection reports.
func stats(addr string) (r report, err error) {
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Get("http://" + addr + "/stats")
	if err != nil {
		return report{}, err
	}
	defer resp.Body.Close()
	return r, json.NewDecoder(resp.Body).Decode(&r)
}

// checkServing checks that netring has served all connections of the process that
// accepts the next one, and returns the process's number.
func checkServing(t *testing.T, addr string, engine netring.Engine) (pid int) {
	t.Helper()
	r, err := stats(addr)
	if err != nil {
		t.Fatal(err)
	}
	if engine != netring.EngineNet && (r.Netring.Engine != engine || r.Accepted == 0 || r.Netring.Accepted < r.Accepted || r.Netring.BytesIn == 0) {
		t.Errorf("process %d has %d connections, and netring with the engine %v has accepted %d and received %d bytes",
			r.PID, r.Accepted, r.Netring.Engine, r.Netring.Accepted, r.Netring.BytesIn)
	}
	return r.PID
}

// restart sends SIGHUP to the process and waits until another one serves.
func restart(t *testing.T, addr string, pid int) {
	t.Helper()
	within(t, "a new process", func(ctx context.Context) error {
		for {
			// tableflip refuses a restart until the process before pid has ended.
			if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
				return err
			}
			for range 30 {
				r, err := stats(addr)
				if err != nil || r.PID != pid {
					return err
				}
				if err := wait(ctx); err != nil {
					return err
				}
			}
		}
	})
}

func TestExample(t *testing.T) {
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		c := &client{addr: e.Addr, requests: 1}
		if got, err := c.get(); !strings.HasPrefix(got, "Hello from process ") || err != nil {
			t.Errorf("it serves %q, %v", got, err)
		}
	})
}

// Three restarts under load lose no request, and netring serves after each.
func TestRestart(t *testing.T) {
	exampletest.Each(t, func(t *testing.T, args []string) {
		cmd := exampletest.Command(t, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		defer killGroup(t, cmd) // if the test fails
		e := exampletest.Start(t, cmd)
		engine := netring.EngineNet
		if want := e.CheckEngine(t, args); want != "" {
			if err := engine.UnmarshalText([]byte(want)); err != nil {
				t.Fatal(err)
			}
		}
		const restarts = 3
		l := start(e.Addr, 16)
		pid := checkServing(t, e.Addr, engine)
		for range restarts {
			l.more(t, 200)
			restart(t, e.Addr, pid)
			l.more(t, 200)
			pid = checkServing(t, e.Addr, engine)
		}
		l.stopping.Store(true)
		l.wg.Wait()
		for _, err := range l.errs {
			t.Errorf("lost: %v", err)
		}
		checkAnswers(t, l, restarts+1)
		checkEnds(t, e, pid, restarts+1)
	})
}

// killGroup ends the processes that a failed test leaves behind.
func killGroup(t *testing.T, cmd *exec.Cmd) {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Error(err)
	}
}

// checkAnswers checks that each process answered requests, and nobody else.
func checkAnswers(t *testing.T, l *load, processes int) {
	t.Helper()
	total := 0
	for body, n := range l.from {
		var pid int
		if _, err := fmt.Sscanf(body, "Hello from process %d!\n", &pid); err != nil {
			t.Errorf("%d answers are %q", n, body)
		}
		total += n
	}
	if len(l.from) != processes {
		t.Errorf("%d processes have answered, want %d", len(l.from), processes)
	}
	t.Logf("%d requests, %d lost", total, len(l.errs))
}

// checkEnds ends the last process and checks that all have ended properly.
func checkEnds(t *testing.T, e *exampletest.Example, pid, processes int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := e.End(t)
	if n := strings.Count(stdout, "shut down\n"); err != nil || n != processes {
		t.Errorf("%d of %d processes have shut down, %v; they print %q and %q", n, processes, err, stdout, stderr)
	}
	if strings.Contains(stderr, "goroutine") {
		t.Error(stderr)
	}
}
