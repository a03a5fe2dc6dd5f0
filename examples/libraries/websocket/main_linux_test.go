package main

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// dial connects. The connection ends with ctx.
func dial(t *testing.T, ctx context.Context, addr string) *websocket.Conn {
	t.Helper()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c, _, err := websocket.Dial(ctx, "ws://"+addr+"/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: tr}})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(maxMessage)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func TestExample(t *testing.T) {
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for client := range 16 {
			c := dial(t, ctx, e.Addr)
			wg.Go(func() {
				checkEcho(t, ctx, c, client)
				if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
					t.Errorf("closing: %v", err)
				}
			})
		}
		wg.Wait()
	})
}

// checkEcho sends messages of many sizes and expects them back.
func checkEcho(t *testing.T, ctx context.Context, c *websocket.Conn, client int) {
	r := rand.New(rand.NewPCG(uint64(client), 1))
	for i, size := range []int{0, 1, 125, 126, 511, 512, 65535, 65536, 1 << 20} {
		kind, message := websocket.MessageBinary, make([]byte, size)
		for j := range message {
			message[j] = byte(r.Uint32())
		}
		if i%2 == 1 {
			kind, message = websocket.MessageText, bytes.Repeat([]byte{byte('a' + client)}, size)
		}
		if err := c.Write(ctx, kind, message); err != nil {
			t.Error(err)
			return
		}
		gotKind, got, err := c.Read(ctx)
		if err != nil || gotKind != kind || !bytes.Equal(got, message) {
			t.Errorf("a %v of %d bytes came back as a %v of %d bytes, or others, %v", kind, size, gotKind, len(got), err)
			return
		}
	}
}

// A client that connects while the server shuts down is told so, too.
func TestLateClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s := newServer()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler)
	defer srv.Close()
	c := dial(t, ctx, srv.Listener.Addr().String())
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client reads the error %v, want %v", err, websocket.StatusGoingAway)
	}
}

// Shutdown waits for a client's answer, as long as it may.
func TestShutdownWaits(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s := newServer()
	srv := httptest.NewServer(s.Handler)
	defer srv.Close()
	c := dial(t, ctx, srv.Listener.Addr().String())
	hello(t, ctx, c)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the client does not answer, Shutdown returns %v", err)
	}
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway { // answers
		t.Errorf("the client reads the error %v, want %v", err, websocket.StatusGoingAway)
	}
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// hello sends a message and waits for its return: only then, the server has accepted the
// connection.
func hello(t *testing.T, ctx context.Context, c *websocket.Conn) {
	t.Helper()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err != nil {
		t.Fatal(err)
	}
}

// The example tells its clients when it ends.
func TestGoingAway(t *testing.T) {
	exampletest.Each(t, func(t *testing.T, args []string) {
		e := exampletest.Start(t, exampletest.Command(t, args...))
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 4 {
			c := dial(t, ctx, e.Addr)
			hello(t, ctx, c)
			wg.Go(func() {
				if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
					t.Errorf("the client reads the error %v, want %v", err, websocket.StatusGoingAway)
				}
			})
		}
		stderr := e.Stop(t, syscall.SIGTERM)
		wg.Wait()
		if stderr != "" {
			t.Errorf("the example reports %q", stderr)
		}
	})
}
