package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestExample(t *testing.T) {
	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		c := redis.NewClient(&redis.Options{Addr: e.Addr, MaxRetries: -1, DisableIdentity: true})
		defer func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}()
		checkCommands(t, ctx, c)
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() { checkPipelines(t, ctx, c, worker) })
		}
		wg.Wait()
	})
}

func checkCommands(t *testing.T, ctx context.Context, c *redis.Client) {
	t.Helper()
	if got, err := c.Ping(ctx).Result(); got != "PONG" || err != nil {
		t.Fatalf("PING: %q, %v", got, err)
	}
	if got, err := c.Do(ctx, "PiNg", "text").Text(); got != "text" || err != nil {
		t.Errorf("PING with an argument: %q, %v", got, err)
	}
	if _, err := c.Get(ctx, "absent").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("GET of an absent key: %v, want redis.Nil", err)
	}
	big := strings.Repeat("0123456789abcdef", 1<<16) // larger than the write buffer
	if err := c.Set(ctx, "big", big, 0).Err(); err != nil {
		t.Error(err)
	}
	if got, err := c.Get(ctx, "big").Result(); got != big || err != nil {
		t.Errorf("GET of %d bytes returns %d bytes, or others, %v", len(big), len(got), err)
	}
	if n, err := c.Del(ctx, "big", "absent").Result(); n != 1 || err != nil {
		t.Errorf("DEL of a key that exists and one that does not: %d, %v", n, err)
	}
	if err := c.Do(ctx, "set", "key").Err(); err == nil || !strings.Contains(err.Error(), "wrong number of arguments") {
		t.Errorf("SET without a value: %v", err)
	}
	if err := c.Do(ctx, "fly").Err(); err == nil || !strings.Contains(err.Error(), "unknown command") {
		t.Errorf("an unknown command: %v", err)
	}
}

// QUIT is answered and ends the connection.
func TestQuit(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	c := connect(t, e.Addr)
	if _, err := io.WriteString(c, "SET key value\r\nQUIT\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); string(got) != "+OK\r\n+OK\r\n" || err != nil {
		t.Errorf("the answer is %q, %v", got, err)
	}
	e.Stop(t, syscall.SIGTERM)
}

// A client that stays connected does not keep the example from ending.
func TestIdleClient(t *testing.T) {
	e := exampletest.Start(t, exampletest.Command(t, "-addr", "127.0.0.1:0"))
	c := connect(t, e.Addr)
	ping(t, c)
	e.Stop(t, syscall.SIGTERM)
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("after the end, the client reads %d bytes, %v", n, err)
	}
}

// Shutdown waits for connections, as long as it may.
func TestShutdownWaits(t *testing.T) {
	s := newServer()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	c := connect(t, ln.Addr().String())
	ping(t, c)
	s.conns.Add(1) // a connection that does not end
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a connection, Shutdown returns %v", err)
	}
	s.conns.Done()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// checkPipelines sends many commands at once, and expects the answers in order.
func checkPipelines(t *testing.T, ctx context.Context, c *redis.Client, worker int) {
	const rounds, depth = 20, 32
	for round := range rounds {
		pipe := c.Pipeline()
		var gets []*redis.StringCmd
		for i := range depth {
			key := fmt.Sprintf("key %d/%d", worker, i)
			pipe.Set(ctx, key, fmt.Sprintf("value %d of %s", round, key), 0)
			gets = append(gets, pipe.Get(ctx, key))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Error(err)
			return
		}
		for i, get := range gets {
			if want := fmt.Sprintf("value %d of key %d/%d", round, worker, i); get.Val() != want {
				t.Errorf("GET returns %q, want %q", get.Val(), want)
			}
		}
	}
}

// connect returns a connection to the server, until the end of the test.
func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// ping exchanges a message, so that the server is known to serve c.
func ping(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, len("+PONG\r\n"))); err != nil {
		t.Fatal(err)
	}
}
