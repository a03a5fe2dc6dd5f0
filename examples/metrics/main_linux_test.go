package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/netring-go/netring"
)

// asExample in the environment makes the test binary run the example.
const asExample = "NETRING_TEST_RUN_EXAMPLE"

func TestMain(m *testing.M) {
	if os.Getenv(asExample) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command returns the command that runs the example.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asExample+"=1")
	return cmd
}

// example is the example in a process of its own.
type example struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	stderr strings.Builder

	url, engine string
}

var listening = regexp.MustCompile(`^listening on (http://\S+)/ with engine (\w+)`)

// start starts the example and waits until it listens.
func start(t *testing.T, args ...string) *example {
	t.Helper()
	e := &example{cmd: command(t, append(args, "-addr", "127.0.0.1:0", "-interval", "50ms")...)}
	e.cmd.Stderr = &e.stderr
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Minute, func() { e.cmd.Process.Kill() })
	t.Cleanup(func() { kill.Stop() })
	e.out = bufio.NewReader(out)
	line, err := e.out.ReadString('\n')
	m := listening.FindStringSubmatch(line)
	if err != nil || m == nil {
		t.Fatalf("the example prints %q, %v, %v", line, err, errors.Join(e.cmd.Wait(), errors.New(e.stderr.String())))
	}
	e.url, e.engine = m[1], m[2]
	return e
}

// stop ends the example with SIGTERM and checks how it ends.
func (e *example) stop(t *testing.T) {
	t.Helper()
	if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(e.out)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.cmd.Wait(); err != nil || string(rest) != "shut down\n" || e.stderr.String() != "" {
		t.Errorf("the example ended with %v and printed %q, %s", err, rest, e.stderr.String())
	}
}

// stream reads server-sent events.
type stream struct {
	resp  *http.Response
	lines *bufio.Reader
}

func open(t *testing.T, client *http.Client, url string) *stream {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("%s: %s, %s", url, resp.Status, kind)
	}
	return &stream{resp, bufio.NewReader(resp.Body)}
}

// next returns the next event's name and decodes its data.
func (s *stream) next(data any) (name string, err error) {
	for {
		line, err := s.lines.ReadString('\n')
		switch {
		case err != nil:
			return "", err
		case strings.HasPrefix(line, "event: "):
			name = strings.TrimSpace(line[len("event: "):])
		case strings.HasPrefix(line, "data: "):
			return name, json.Unmarshal([]byte(line[len("data: "):]), data)
		}
	}
}

func get(t *testing.T, client *http.Client, url string) (body string, header http.Header) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(text), resp.Header
}

// ofEngines runs a test with an example for each engine, or for the one that the
// environment asks for. The test must stop the example.
func ofEngines(t *testing.T, test func(t *testing.T, e *example)) {
	names := []string{"uring", "syscall", "net"}
	if env := os.Getenv(netring.EngineEnv); env != "" && env != "auto" {
		names = []string{env}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if name == "uring" && os.Getenv(netring.EngineEnv) != name {
				report, err := netring.Probe()
				if err != nil {
					t.Fatal(err)
				}
				if report.Engine != netring.EngineURing {
					t.Skipf("io_uring is unavailable: %s", report.Reason)
				}
			}
			e := start(t, "-engine", name)
			if e.engine != name {
				t.Errorf("the example reports the engine %s", e.engine)
			}
			test(t, e)
		})
	}
}

// The event stream, /metrics and /debug/vars tell of the same requests. The stream ends
// with the server.
func TestExample(t *testing.T) {
	ofEngines(t, func(t *testing.T, e *example) {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
		events := open(t, client, e.url+"/events")
		var first started
		if name, err := events.next(&first); name != "start" || err != nil || first.Engine.String() != e.engine || first.Seconds != 0.05 {
			t.Fatalf("the first event is %s, %v: %+v", name, err, first)
		}
		const requests = 100
		for range requests {
			if body, _ := get(t, client, e.url+"/hello"); body != "Hello, World!\n" {
				t.Fatalf("/hello serves %q", body)
			}
		}
		seen := collect(t, events, requests)
		if want := requests * size(t, e.url+"/hello"); first.Counting && seen.BytesIn != want {
			t.Errorf("the events tell of %d bytes in, want %d", seen.BytesIn, want)
		}
		if first.Counting && (seen.BytesOut == 0 || seen.Connections < 2 || seen.Ops == 0 || seen.Direct == 0) {
			t.Errorf("the events tell of %+v", seen)
		}
		checkMetrics(t, client, e, seen)

		ended := make(chan error, 1)
		go func() {
			for {
				if _, err := events.next(new(sample)); err != nil {
					ended <- err
					return
				}
			}
		}()
		e.stop(t)
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("the event stream ended with %v", err)
		}
	})
}

// size returns the number of bytes of a request.
func size(t *testing.T, url string) uint64 {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := httputil.DumpRequestOut(req, false)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(len(text))
}

// collect adds up samples until they tell of the given number of requests. They must
// not tell of more.
func collect(t *testing.T, events *stream, requests uint64) (sum sample) {
	t.Helper()
	sum.Sizes = make([]uint64, netring.BatchSizes)
	for range 200 { // of 50 ms
		var s sample
		if name, err := events.next(&s); name != "sample" || err != nil || s.Seconds <= 0 || s.At == 0 || len(s.Sizes) != netring.BatchSizes {
			t.Fatalf("an event is %s, %v: %+v", name, err, s)
		}
		if got := s.P50 != nil && s.P99 != nil && *s.P50 > 0 && *s.P50 <= *s.P99; got != (s.Requests > 0) {
			t.Errorf("the latency of %d requests is %v, %v", s.Requests, s.P50, s.P99)
		}
		var batches uint64
		for i, n := range s.Sizes {
			batches += n
			sum.Sizes[i] += n
		}
		if batches != s.Batches || s.Ops < batches {
			t.Errorf("%d submissions of %d operations, by size %v", s.Batches, s.Ops, s.Sizes)
		}
		if sum.Requests == requests {
			if s.Requests != 0 {
				t.Errorf("the events tell of %d requests more", s.Requests)
			}
			return sum
		}
		sum.Requests += s.Requests
		sum.BytesIn += s.BytesIn
		sum.BytesOut += s.BytesOut
		sum.Batches += s.Batches
		sum.Ops += s.Ops
		sum.Direct += s.Direct
		sum.Connections = s.Connections
	}
	t.Fatalf("the events tell of %d requests, want %d", sum.Requests, requests)
	return sum
}

// checkMetrics checks that /metrics and /debug/vars tell of at least what the events told.
func checkMetrics(t *testing.T, client *http.Client, e *example, seen sample) {
	t.Helper()
	text, _ := get(t, client, e.url+"/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	times := families["http_request_duration_seconds"].GetMetric()
	if len(times) != 1 || times[0].GetHistogram().GetSampleCount() != seen.Requests {
		t.Errorf("/metrics tells of the requests %v, want %d", times, seen.Requests)
	}
	info := families["netring_info"].GetMetric()
	if len(info) != 1 || info[0].GetLabel()[0].GetValue() != e.engine {
		t.Errorf("/metrics tells of the engine %v, want %s", info, e.engine)
	}
	var vars struct{ Netring netring.Stats }
	text, _ = get(t, client, e.url+"/debug/vars")
	if err := json.Unmarshal([]byte(text), &vars); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if s := vars.Netring; s.Engine.String() != e.engine || s.BytesIn < seen.BytesIn || s.BytesOut < seen.BytesOut || s.Ops < seen.Ops {
		t.Errorf("/debug/vars tells of %+v, the events of %+v", s, seen)
	}
	var bytesIn float64
	for _, m := range families["netring_bytes_in_total"].GetMetric() {
		bytesIn += m.GetCounter().GetValue()
	}
	if bytesIn < float64(seen.BytesIn) {
		t.Errorf("/metrics tells of %v bytes, the events of %d", bytesIn, seen.BytesIn)
	}
}

var elsewhere = regexp.MustCompile(`(?i)(?:src|href|url|import)\s*[=(]?\s*["'(]?(?:https?:)?//`)

// The page is complete: it names nothing on other hosts, and its policy forbids that.
func TestPage(t *testing.T) {
	e := start(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	text, header := get(t, client, e.url+"/")
	if kind := header.Get("Content-Type"); kind != "text/html; charset=utf-8" || text != string(page) {
		t.Errorf("the page is %d bytes of %s, want %d", len(text), kind, len(page))
	}
	if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; connect-src 'self';") {
		t.Errorf("the policy is %q", policy)
	}
	if m := elsewhere.FindString(text); m != "" {
		t.Errorf("the page names another host: %q", m)
	}
	// The script reads each field of a sample by its name.
	for _, of := range []any{sample{}, started{}} {
		fields, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		var names map[string]any
		if err := json.Unmarshal(fields, &names); err != nil {
			t.Fatal(err)
		}
		for name := range names {
			if !regexp.MustCompile(`(?:\.|per\(")` + name + `\b`).MatchString(text) {
				t.Errorf("the page does not use %s of %T", name, of)
			}
		}
	}
	resp, err := client.Get(e.url + "/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("/nowhere: %s", resp.Status)
	}
	e.stop(t)
}

// Wrong flags end the example with an error that names the value.
func TestRefuses(t *testing.T) {
	for _, args := range [][]string{{"-engine", "fast"}, {"-addr", "nowhere"}, {"-interval", "1ns"}} {
		out, err := command(t, args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), args[1]) {
			t.Errorf("%v: %v, the example prints %q", args, err, out)
		}
	}
}
