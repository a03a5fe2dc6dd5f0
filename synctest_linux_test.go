package netring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRow18Synctest runs the same steps inside and outside synctest bubbles: on a Poller
// made outside, on a Poller made inside, and on the default Poller. Package net's
// behaviour is the specification.
func TestRow18Synctest(t *testing.T) {
	steps := func(t *testing.T, s *stack) {
		bubbleEcho(t, s)
		bubbleHTTP(t, s)
		bubbleDeadlines(t, s)
		bubbleCompany(t, s)
	}
	// inside runs f in two bubbles one after the other, and in two at a time.
	inside := func(t *testing.T, f func(t *testing.T)) {
		for i := range 2 {
			t.Run(fmt.Sprintf("bubble %d", i), func(t *testing.T) { synctest.Test(t, f) })
		}
		t.Run("two bubbles", func(t *testing.T) {
			for i := range 2 {
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, f)
				})
			}
		})
	}
	stacks(t, func(t *testing.T, s *stack) {
		t.Run("made outside", func(t *testing.T) {
			inside(t, func(t *testing.T) { steps(t, s) })
			steps(t, s)
		})
		if s.poller == nil {
			return
		}
		t.Run("made inside", func(t *testing.T) {
			inside(t, func(t *testing.T) {
				own := *s
				own.poller = newPoller(t, Config{Engine: s.poller.cfg.Engine, Coalesce: s.poller.cfg.Coalesce})
				steps(t, &own)
			})
		})
		t.Run("default", func(t *testing.T) {
			own := &stack{name: "default", poller: new(Poller), isDefault: true}
			inside(t, func(t *testing.T) { steps(t, own) })
			steps(t, own)
			awaitNoDefaultPoller(t)
		})
	})
}

// A call outside waits while a call in a bubble watches for the events of both. After
// the end of the bubble, the call outside still gets its event.
func TestRow18BubbleEndsWhileOthersWait(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			p := newPoller(t, Config{Engine: engine, Reactors: 1})
			s := &stack{poller: p}
			outside, outsideClient := s.pair(t)
			start := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				<-start
				if n, err := outside.Read(make([]byte, 1000)); n != 1 || err != nil {
					t.Errorf("outside: %d, %v", n, err)
				}
			})
			within(t, "the bubble's end", func() {
				synctest.Test(t, func(t *testing.T) {
					server, client := s.both(t)
					var wg sync.WaitGroup
					wg.Go(func() {
						if n, err := server.Read(make([]byte, 1000)); n != 1 || err != nil {
							t.Errorf("inside: %d, %v", n, err)
						}
					})
					awaitWaiting(t, p, 1) // now this call leads
					close(start)
					awaitWaiting(t, p, 2)
					_, err := client.Write([]byte("x"))
					must(t, err)
					wg.Wait()
					must(t, errors.Join(server.Close(), client.Close()))
				})
			})
			_, err := outsideClient.Write([]byte("x"))
			must(t, err)
			within(t, "the call outside", wg.Wait)
		})
	}
}

// dial connects to ln on the stack.
func (s *stack) dial(ln net.Listener) (net.Conn, error) {
	dial := net.Dial
	switch {
	case s.isDefault:
		dial = Dial
	case s.poller != nil:
		d := Dialer{Poller: s.poller}
		dial = d.Dial
	}
	return dial(ln.Addr().Network(), ln.Addr().String())
}

// both returns the two ends of a connection, both on the stack.
func (s *stack) both(t testing.TB) (server, client net.Conn) {
	t.Helper()
	ln, err := s.tryListen("tcp", "127.0.0.1:0")
	must(t, err)
	client, err = s.dial(ln)
	must(t, err)
	server, err = ln.Accept()
	must(t, err)
	must(t, ln.Close())
	return server, client
}

func bubbleEcho(t *testing.T, s *stack) {
	t.Helper()
	server, client := s.both(t)
	sent := numbered(1 << 20) // more than the sockets hold
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := io.Copy(server, server); n != int64(len(sent)) || err != nil {
			t.Errorf("the echo moved %d bytes, %v", n, err)
		}
		if err := server.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		if n, err := client.Write(sent); n != len(sent) || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		if err := client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(client)
	if !bytes.Equal(got, sent) || err != nil {
		t.Errorf("%d bytes came back of %d, %v", len(got), len(sent), err)
	}
	wg.Wait()
	must(t, errors.Join(client.Close(), server.Close()))
}

func bubbleHTTP(t *testing.T, s *stack) {
	t.Helper()
	ln, err := s.tryListen("tcp", "127.0.0.1:0")
	must(t, err)
	srv := &http.Server{
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return s.dial(ln) }}
	client := &http.Client{Transport: tr, Timeout: time.Minute}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 5 {
				body := fmt.Sprintf("request %d of %d", j, i)
				resp, err := client.Post("http://"+ln.Addr().String(), "text/plain", bytes.NewReader([]byte(body)))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(resp.Body)
				if err = errors.Join(err, resp.Body.Close()); string(got) != body || err != nil {
					t.Errorf("the answer is %q, %v; want %q", got, err, body)
				}
			}
		})
	}
	wg.Wait()
	tr.CloseIdleConnections()
	must(t, srv.Close())
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}

// bubbleDeadlines lets deadlines pass during calls and before calls. As with package
// net, a waiting call is not durably blocked, so its deadline passes in real time.
func bubbleDeadlines(t *testing.T, s *stack) {
	t.Helper()
	server, client := s.both(t)
	buf := make([]byte, 1000)
	for _, tc := range []struct {
		what string
		when func() time.Time
	}{
		{"in a while", func() time.Time { return time.Now().Add(20 * time.Millisecond) }},
		{"now", time.Now},
		{"past", func() time.Time { return time.Now().Add(-time.Hour) }},
		{"long ago", func() time.Time { return time.Unix(1, 0) }},
		{"in a while, again", func() time.Time { return time.Now().Add(time.Millisecond) }},
	} {
		must(t, server.SetReadDeadline(tc.when()))
		if n, err := server.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a deadline %s: %d, %v", tc.what, n, err)
		}
	}
	// A distant deadline is moved while the call waits.
	must(t, server.SetReadDeadline(time.Now().Add(time.Hour)))
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := server.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a deadline that was moved: %d, %v", n, err)
		}
	})
	must(t, server.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	wg.Wait()
	must(t, server.SetReadDeadline(time.Time{}))
	wg.Go(func() {
		if n, err := server.Read(buf); string(buf[:n]) != "hello" || err != nil {
			t.Errorf("without a deadline: %q, %v", buf[:n], err)
		}
	})
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Error(err)
	}
	wg.Wait()
	must(t, server.SetReadDeadline(time.Now().Add(time.Hour)))
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Error(err)
	}
	if n, err := server.Read(buf); string(buf[:n]) != "hello" || err != nil {
		t.Errorf("before the deadline: %q, %v", buf[:n], err)
	}
	// Close wakes a waiting call.
	wg.Go(func() {
		if _, err := server.Read(buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a Read that is closed: %v", err)
		}
	})
	wg.Go(func() {
		if _, err := client.Read(buf); err == nil {
			t.Error("a Read returned nothing at all")
		}
	})
	must(t, server.Close())
	wg.Wait()
	must(t, client.Close())
}

// bubbleCompany lets several calls wait at a time, so that one call hands the wait for
// events to another.
func bubbleCompany(t *testing.T, s *stack) {
	t.Helper()
	const conns, rounds = 5, 20
	var wg sync.WaitGroup
	for i := range conns {
		server, client := s.both(t)
		wg.Go(func() {
			defer server.Close()
			io.Copy(server, server)
		})
		wg.Go(func() {
			defer client.Close()
			msg, got := numbered(100+i), make([]byte, 100+i)
			for range rounds {
				if _, err := client.Write(msg); err != nil {
					t.Error(err)
					return
				}
				if _, err := io.ReadFull(client, got); !bytes.Equal(got, msg) || err != nil {
					t.Errorf("the echo differs, %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// numbered returns n bytes in which neighbours differ.
func numbered(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i * 7 / 3)
	}
	return p
}
