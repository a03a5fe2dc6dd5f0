package netring

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// webServer is a net/http server on the stack under test.
type webServer struct {
	srv    *http.Server
	url    string
	addr   string
	log    *logBuffer
	served chan error
}

// logBuffer collects what the server logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func newLogger(l *logBuffer) *log.Logger { return log.New(l, "", 0) }

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve starts a server, and shuts it down at the end of the test. A line in the
// server's log fails the test.
func (s *stack) serve(t *testing.T, h http.Handler, configure func(*http.Server)) *webServer {
	t.Helper()
	ln := s.listen(t)
	w := &webServer{addr: ln.Addr().String(), log: &logBuffer{}, served: make(chan error, 1)}
	w.url = "http://" + w.addr
	w.srv = &http.Server{Handler: h, ErrorLog: newLogger(w.log)}
	if configure != nil {
		configure(w.srv)
	}
	go func() { w.served <- w.srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-w.served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		if s := w.log.String(); s != "" {
			t.Errorf("the server logged: %s", s)
		}
	})
	return w
}

// webStacks runs f with a server on each stack, and with a server on package net and
// clients on netring.
func webStacks(t *testing.T, f func(t *testing.T, s *stack)) {
	stacks(t, f)
	rings(t, func(t *testing.T, s *stack) {
		f(t, &stack{name: s.name + " client", dialer: s.poller})
	})
}

// newClient returns a client whose connections close at the end of the test.
func newClient(t *testing.T, s *stack) *http.Client {
	tr := &http.Transport{MaxIdleConnsPerHost: 100}
	if s.dialer != nil {
		d := Dialer{Poller: s.dialer}
		tr.DialContext = d.DialContext
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

// echoBody answers with the request's body.
func echoBody(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // an HTTP/1 server must read the body before it answers
	if err != nil {
		return
	}
	w.Header().Set("X-Conn", r.RemoteAddr)
	w.Write(body)
}

func TestHTTPKeepAlive(t *testing.T) {
	webStacks(t, func(t *testing.T, s *stack) {
		w := s.serve(t, http.HandlerFunc(echoBody), nil)
		c := newClient(t, s)
		conns := map[string]bool{}
		for i := range 200 {
			want := strings.Repeat("x", i*i%777)
			resp, err := c.Post(w.url, "text/plain", strings.NewReader(want))
			must(t, err)
			got, err := io.ReadAll(resp.Body)
			must(t, errors.Join(err, resp.Body.Close()))
			if string(got) != want {
				t.Fatalf("request %d: got %d bytes, want %d", i, len(got), len(want))
			}
			conns[resp.Header.Get("X-Conn")] = true
		}
		if len(conns) != 1 {
			t.Errorf("%d connections for requests in a row, want 1", len(conns))
		}
	})
}

func TestHTTPConcurrentClients(t *testing.T) {
	webStacks(t, func(t *testing.T, s *stack) {
		w := s.serve(t, http.HandlerFunc(echoBody), nil)
		c := newClient(t, s)
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				for j := range 30 {
					want := bytes.Repeat([]byte{byte(i), byte(j)}, i*j*13)
					resp, err := c.Post(w.url, "text/plain", bytes.NewReader(want))
					if err != nil {
						t.Error(err)
						return
					}
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("client %d, request %d: %d bytes, %v; want %d", i, j, len(got), err, len(want))
					}
				}
			})
		}
		within(t, "the clients", wg.Wait)
	})
}

func TestHTTPPipelining(t *testing.T) {
	webStacks(t, func(t *testing.T, s *stack) {
		w := s.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "answer %s", r.URL.Path)
		}), nil)
		conn, err := net.Dial("tcp", w.addr)
		must(t, err)
		defer conn.Close()
		for _, n := range []int{1, 2, 16, 100} {
			var reqs bytes.Buffer
			for i := range n {
				fmt.Fprintf(&reqs, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
			}
			if _, err := conn.Write(reqs.Bytes()); err != nil {
				t.Fatal(err)
			}
			br := bufio.NewReader(conn)
			for i := range n {
				resp, err := http.ReadResponse(br, nil)
				must(t, err)
				body, err := io.ReadAll(resp.Body)
				must(t, err)
				if want := fmt.Sprintf("answer /%d", i); string(body) != want {
					t.Fatalf("%d requests: answer %d is %q", n, i, body)
				}
			}
		}
	})
}

func TestHTTPChunked(t *testing.T) {
	webStacks(t, func(t *testing.T, s *stack) {
		w := s.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctl := http.NewResponseController(w)
			if err := ctl.EnableFullDuplex(); err != nil {
				t.Error(err)
			}
			buf := make([]byte, 999)
			for {
				n, err := r.Body.Read(buf)
				w.Write(buf[:n])
				if err := ctl.Flush(); err != nil {
					t.Error(err)
				}
				if err != nil {
					return
				}
			}
		}), nil)
		c := newClient(t, s)
		want := bytes.Repeat([]byte("chunk by chunk "), 2000)
		// The server answers while the client still sends.
		resp, err := c.Post(w.url, "text/plain", io.MultiReader(bytes.NewReader(want[:10]), bytes.NewReader(want[10:])))
		must(t, err)
		defer resp.Body.Close()
		if len(resp.TransferEncoding) == 0 || resp.TransferEncoding[0] != "chunked" {
			t.Errorf("the answer is %v", resp.TransferEncoding)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes of %d (%v), or they differ", len(got), len(want), err)
		}
	})
}

func TestHTTPBigBodies(t *testing.T) {
	webStacks(t, func(t *testing.T, s *stack) {
		down := make([]byte, 1<<20)
		for i := range down {
			down[i] = byte(i * 31 >> 5)
		}
		w := s.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := sha256.New()
			n, err := io.Copy(h, r.Body)
			w.Header().Set("X-Sum", fmt.Sprintf("%d %x %v", n, h.Sum(nil), err))
			w.Write(down)
		}), nil)
		c := newClient(t, s)
		up := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		want := fmt.Sprintf("%d %x <nil>", len(up), sha256.Sum256(up))
		for _, chunked := range []bool{false, true} {
			var body io.Reader = bytes.NewReader(up)
			if chunked {
				body = struct{ io.Reader }{body}
			}
			resp, err := c.Post(w.url, "application/octet-stream", body)
			must(t, err)
			got, err := io.ReadAll(resp.Body)
			must(t, errors.Join(err, resp.Body.Close()))
			if !bytes.Equal(got, down) {
				t.Errorf("chunked %v: the answer has %d bytes, or differs", chunked, len(got))
			}
			if sum := resp.Header.Get("X-Sum"); sum != want {
				t.Errorf("chunked %v: the server got %s, want %s", chunked, sum, want)
			}
		}
	})
}

func TestHTTPConnectionClose(t *testing.T) {
	webStacks(t, func(t *testing.T, s *stack) {
		w := s.serve(t, http.HandlerFunc(echoBody), nil)
		c := newClient(t, s)
		conns := map[string]bool{}
		const requests = 50
		for range requests {
			req, err := http.NewRequest("POST", w.url, strings.NewReader("bye"))
			must(t, err)
			req.Close = true
			resp, err := c.Do(req)
			must(t, err)
			got, err := io.ReadAll(resp.Body)
			must(t, errors.Join(err, resp.Body.Close()))
			if string(got) != "bye" || !resp.Close {
				t.Fatalf("got %q, close %v", got, resp.Close)
			}
			conns[resp.Header.Get("X-Conn")] = true
		}
		if len(conns) != requests {
			t.Errorf("%d connections for %d requests", len(conns), requests)
		}
		// With HTTP/1.0, the end of the connection ends the answer.
		conn, err := net.Dial("tcp", w.addr)
		must(t, err)
		defer conn.Close()
		if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.0 200 OK\r\n")) {
			t.Errorf("HTTP/1.0: %.60q, %v", got, err)
		}
	})
}

// A hijacked connection hands over the bytes that the server has read, and works in both
// directions.
func TestHTTPHijack(t *testing.T) {
	webStacks(t, func(t *testing.T, s *stack) {
		var wg sync.WaitGroup
		wg.Add(1)
		w := s.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer wg.Done()
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
			for {
				line, err := rw.ReadString('\n')
				if err != nil {
					if err != io.EOF {
						t.Errorf("the hijacker reads: %v", err)
					}
					return
				}
				if _, err := conn.Write([]byte(strings.ToUpper(line))); err != nil {
					t.Errorf("the hijacker writes: %v", err)
				}
			}
		}), nil)
		conn, err := net.Dial("tcp", w.addr)
		must(t, err)
		defer conn.Close()
		// The first line comes with the request.
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nfirst\n"); err != nil {
			t.Fatal(err)
		}
		br := bufio.NewReader(conn)
		resp, err := http.ReadResponse(br, nil)
		must(t, err)
		if resp.StatusCode != 101 {
			t.Fatalf("status %d", resp.StatusCode)
		}
		for i, line := range []string{"", "second\n", "third\n", strings.Repeat("long ", 3000) + "\n"} {
			if _, err := io.WriteString(conn, line); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				line = "first\n"
			}
			if got, err := br.ReadString('\n'); got != strings.ToUpper(line) || err != nil {
				t.Fatalf("line %d: %q, %v", i, got, err)
			}
		}
		must(t, conn.Close())
		within(t, "the hijacker", wg.Wait)
	})
}

// Shutdown lets requests under way finish and refuses new ones.
func TestHTTPShutdown(t *testing.T) {
	webStacks(t, func(t *testing.T, s *stack) {
		const inFlight = 10
		arrived, release := make(chan bool, inFlight), make(chan bool)
		w := s.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/quick" {
				return
			}
			arrived <- true
			<-release
			io.WriteString(w, "done")
		}), nil)
		c := newClient(t, s)
		answers := make(chan string, inFlight)
		for range inFlight {
			go func() {
				resp, err := c.Get(w.url)
				if err != nil {
					answers <- err.Error()
					return
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				answers <- fmt.Sprint(string(b), err)
			}()
		}
		idle, err := net.Dial("tcp", w.addr) // an idle connection ends with the server
		must(t, err)
		defer idle.Close()
		if _, err := io.WriteString(idle, "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := http.ReadResponse(bufio.NewReader(idle), nil); err != nil {
			t.Fatal(err)
		}
		within(t, "the requests", func() {
			for range inFlight {
				<-arrived
			}
		})
		shut := make(chan error, 1)
		go func() { shut <- w.srv.Shutdown(context.Background()) }()
		within(t, "closing the listener", func() { w.served <- <-w.served })
		if conn, err := net.Dial("tcp", w.addr); err == nil {
			conn.Close()
			t.Error("the server still accepts")
		}
		close(release)
		within(t, "Shutdown", func() {
			if err := <-shut; err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			for range inFlight {
				if a := <-answers; a != "done<nil>" {
					t.Errorf("a request under way got %s", a)
				}
			}
		})
	})
}

// The server's timeouts end connections; clients read io.EOF.
func TestHTTPTimeouts(t *testing.T) {
	for name, tc := range map[string]struct {
		configure func(*http.Server)
		send      string
	}{
		"IdleTimeout":       {func(s *http.Server) { s.IdleTimeout = 30 * time.Millisecond }, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		"ReadTimeout":       {func(s *http.Server) { s.ReadTimeout = 30 * time.Millisecond }, "GET / HT"},
		"ReadHeaderTimeout": {func(s *http.Server) { s.ReadHeaderTimeout = 30 * time.Millisecond }, "GET / HTTP/1.1\r\nHo"},
	} {
		t.Run(name, func(t *testing.T) {
			webStacks(t, func(t *testing.T, s *stack) {
				w := s.serve(t, http.HandlerFunc(echoBody), tc.configure)
				conn, err := net.Dial("tcp", w.addr)
				must(t, err)
				defer conn.Close()
				if _, err := io.WriteString(conn, tc.send); err != nil {
					t.Fatal(err)
				}
				within(t, "the timeout", func() {
					if _, err := io.ReadAll(conn); err != nil {
						t.Errorf("the client sees %v", err)
					}
				})
			})
		})
	}
	// A timeout that does not expire leaves the connection usable.
	t.Run("in time", func(t *testing.T) {
		webStacks(t, func(t *testing.T, s *stack) {
			w := s.serve(t, http.HandlerFunc(echoBody), func(s *http.Server) {
				s.ReadTimeout, s.WriteTimeout, s.IdleTimeout = 10*time.Second, 10*time.Second, 10*time.Second
			})
			c := newClient(t, s)
			for range 50 {
				resp, err := c.Post(w.url, "text/plain", strings.NewReader("x"))
				must(t, err)
				_, err = io.Copy(io.Discard, resp.Body)
				must(t, errors.Join(err, resp.Body.Close()))
			}
		})
	})
}

// A client that disconnects during its request cancels the request's context. The server
// serves other clients.
func TestHTTPClientDisconnects(t *testing.T) {
	webStacks(t, func(t *testing.T, s *stack) {
		events := make(chan string, 10)
		w := s.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/wait": // net/http has read the whole request
				events <- "waiting"
				<-r.Context().Done()
				events <- "cancelled"
			case "/body":
				events <- "reading"
				_, err := io.Copy(io.Discard, r.Body)
				events <- fmt.Sprint(err)
			default:
				io.WriteString(w, "fine")
			}
		}), nil)
		expect := func(want string) {
			t.Helper()
			within(t, want, func() {
				if got := <-events; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
		for _, reset := range []bool{false, true} {
			for _, req := range []struct{ text, first, then string }{
				{"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", "waiting", "cancelled"},
				{"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf of it", "reading", "unexpected EOF"},
			} {
				conn, err := net.Dial("tcp", w.addr)
				must(t, err)
				if _, err := io.WriteString(conn, req.text); err != nil {
					t.Fatal(err)
				}
				expect(req.first)
				if reset {
					must(t, conn.(*net.TCPConn).SetLinger(0))
				}
				must(t, conn.Close())
				if reset && req.then == "unexpected EOF" {
					within(t, "the error", func() {
						if got := <-events; !strings.HasSuffix(got, "read: connection reset by peer") {
							t.Errorf("got %q", got)
						}
					})
					continue
				}
				expect(req.then)
			}
			resp, err := newClient(t, s).Get(w.url)
			must(t, err)
			resp.Body.Close()
		}
	})
}
