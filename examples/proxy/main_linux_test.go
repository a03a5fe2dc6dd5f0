package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/netring-go/netring/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// patience is how long a test waits for a peer.
const patience = 10 * time.Second

// through runs the example with each engine, as a proxy for the server at to.
func through(t *testing.T, to string, use func(t *testing.T, addr string)) {
	exampletest.Each(t, func(t *testing.T, args []string) {
		e := exampletest.Start(t, exampletest.Command(t, append(args, "-to", to)...))
		use(t, e.Addr)
		e.Stop(t, syscall.SIGTERM)
	})
}

// Clients and servers of net/http notice nothing of the proxy.
func TestExample(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		fmt.Fprintf(w, "%d %x %v", n, h.Sum(nil), err)
	}))
	defer srv.Close()
	body := make([]byte, 8<<20)
	rand.NewChaCha8([32]byte{1}).Read(body)
	want := fmt.Sprintf("%d %x <nil>", len(body), sha256.Sum256(body))

	exampletest.Run(t, func(t *testing.T, e *exampletest.Example) {
		tr := &http.Transport{}
		defer tr.CloseIdleConnections()
		c := &http.Client{Transport: tr, Timeout: 3 * patience}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				resp, err := c.Post("http://"+e.Addr+"/", "application/octet-stream", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if got, err := io.ReadAll(resp.Body); string(got) != want || err != nil {
					t.Errorf("the server answers %q, %v, want %q", got, err, want)
				}
			})
		}
		wg.Wait()
	}, "-to", srv.Listener.Addr().String())
	exampletest.Refuses(t, exampletest.Command(t, "-addr", "127.0.0.1:0", "-to", "nowhere"), "nowhere")
}

// serve accepts connections and serves each with f, until the test ends.
func serve(t *testing.T, f func(c *net.TCPConn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				f(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

// receive returns what a server sends to the test.
func receive[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(2 * patience):
		t.Fatal("the server is silent")
	}
	return v
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// A server that answers when it has got everything needs the client's half-close, and
// the client needs the answer that comes after it.
func TestClientHalfCloses(t *testing.T) {
	addr := serve(t, func(c *net.TCPConn) {
		text, err := io.ReadAll(c)
		fmt.Fprintf(c, "%q %v", text, err)
	})
	through(t, addr, func(t *testing.T, addr string) {
		c := dial(t, addr)
		defer c.Close()
		if _, err := io.WriteString(c, "question"); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); string(got) != `"question" <nil>` || err != nil {
			t.Errorf("the answer is %q, %v", got, err)
		}
	})
}

// A server may half-close first, too.
func TestServerHalfCloses(t *testing.T) {
	got := make(chan string, 10)
	addr := serve(t, func(c *net.TCPConn) {
		io.WriteString(c, "banner")
		err := c.CloseWrite()
		text, rerr := io.ReadAll(c)
		got <- fmt.Sprintf("%q %v", text, errors.Join(err, rerr))
	})
	through(t, addr, func(t *testing.T, addr string) {
		c := dial(t, addr)
		defer c.Close()
		if banner, err := io.ReadAll(c); string(banner) != "banner" || err != nil {
			t.Fatalf("the client reads %q, %v", banner, err)
		}
		if _, err := io.WriteString(c, "after the server's half-close"); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if text := receive(t, got); text != `"after the server's half-close" <nil>` {
			t.Errorf("the server reads %s", text)
		}
	})
}

// A connection that one side aborts does not look complete to the other side.
func TestAbort(t *testing.T) {
	begun, got := make(chan struct{}, 10), make(chan error, 10)
	addr := serve(t, func(c *net.TCPConn) {
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			got <- err
			return
		}
		begun <- struct{}{}
		_, err := c.Read(make([]byte, 1))
		got <- err
	})
	through(t, addr, func(t *testing.T, addr string) {
		c := dial(t, addr)
		if _, err := io.WriteString(c, "some"); err != nil {
			t.Fatal(err)
		}
		receive(t, begun)
		c.SetLinger(0)
		c.Close()
		if err := receive(t, got); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the server reads the error %v, want a reset", err)
		}
	})
}

// Without a server, the client's connection is reset.
func TestNoServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	through(t, ln.Addr().String(), func(t *testing.T, addr string) {
		c, err := net.Dial("tcp", addr)
		if err == nil { // else the reset came before connect(2) returned
			defer c.Close()
			_, err = c.Read(make([]byte, 1))
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client has the error %v, want a reset", err)
		}
	})
}

// A signal ends the example, although it has bytes for a server that reads none.
func TestEndsStuckConnections(t *testing.T) {
	end := make(chan struct{})
	addr := serve(t, func(*net.TCPConn) { <-end })
	defer close(end)
	e := exampletest.Start(t, exampletest.Command(t, "-to", addr, "-addr", "127.0.0.1:0"))
	c := dial(t, e.Addr)
	for chunk := make([]byte, 1<<20); ; {
		c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		_, err := c.Write(chunk)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	e.Stop(t, syscall.SIGTERM)
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("after the end, the client reads %d bytes, %v", n, err)
	}
}
