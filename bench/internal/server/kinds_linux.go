package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/bench/internal/load"
)

// The load generator hangs up in mid-message at the end of a turn. Servers therefore
// ignore the errors of connections.

// maxIdle is more than any workload has connections to a backend at a time.
const maxIdle = 1024

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, load.Body) }

func serveHTTP(ln net.Listener) error { return http.Serve(ln, http.HandlerFunc(hello)) }

// serveWork is serveHTTP with something to compute for each request: the hash of size
// bytes, about 0.1 ms for 128 KiB.
func serveWork(ln net.Listener, size int) error {
	data := make([]byte, size)
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sum := sha256.Sum256(data); sum == [sha256.Size]byte{} {
			http.Error(w, "not to be expected", http.StatusInternalServerError)
			return
		}
		hello(w, r)
	}))
}

// serveHTTPS is serveHTTP over TLS 1.3, with the certificate that httptest has.
func serveHTTPS(ln net.Listener) error {
	from := httptest.NewUnstartedServer(nil)
	from.StartTLS()
	cfg := &tls.Config{Certificates: from.TLS.Certificates, MinVersion: tls.VersionTLS13}
	from.Close()
	return serveHTTP(tls.NewListener(ln, cfg))
}

// serveReverse is a reverse proxy in front of an HTTP server, both on st and in
// this process, so that its CPU time is that of both hops.
func (s *server) serveReverse(st stack, ln net.Listener) error {
	backend, err := st.listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { s.failed <- fmt.Errorf("backend: %w", serveHTTP(backend)) }()
	return http.Serve(ln, &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backend.Addr().String()})
		},
		Transport: &http.Transport{DialContext: st.dial, MaxIdleConnsPerHost: maxIdle, DisableCompression: true},
		// It would log when clients hang up. A failure that matters is an answer 502,
		// which the load generator reports.
		ErrorLog: log.New(io.Discard, "", 0),
	})
}

// serveGRPC answers health checks, the service that comes with grpc-go.
func serveGRPC(ln net.Listener) error {
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	return s.Serve(ln)
}

// serve runs f for each connection, on a goroutine of its own, and closes it then.
func serve(ln net.Listener, f func(net.Conn)) error {
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			f(c)
		}()
	}
}

// answerReads gives a RawAnswer to each of n reads. A small request comes in one read.
func answerReads(c net.Conn, n int) {
	buf := make([]byte, 1024)
	out := []byte(load.RawAnswer)
	for range n {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// echo sends back what it reads into a buffer of that size.
func echo(c net.Conn, size int) {
	buf := make([]byte, size)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

// echoLease is echo without a buffer of its own, for netring's connections. Its frame
// is kept small: 40 bytes more make most goroutines' stacks 4 KiB instead of 2, and an
// idle connection a third larger.
func echoLease(nc net.Conn) {
	c := nc.(*netring.Conn)
	for {
		lease, err := c.ReadLease()
		if err != nil {
			return
		}
		_, err = c.Write(lease.Bytes())
		lease.Release()
		if err != nil {
			return
		}
	}
}

// hub sends each message that it gets from a connection to all others, one after
// the other, on the goroutine that received it.
type hub struct {
	mu    sync.RWMutex
	conns []net.Conn
}

func (h *hub) serve(c net.Conn) {
	h.mu.Lock()
	h.conns = append(h.conns, c)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		i, last := slices.Index(h.conns, c), len(h.conns)-1
		h.conns[i], h.conns[last] = h.conns[last], nil
		h.conns = h.conns[:last]
	}()
	if _, err := c.Write([]byte{load.Greeting}); err != nil {
		return
	}
	msg := make([]byte, load.BroadcastSize)
	for {
		if _, err := io.ReadFull(c, msg); err != nil {
			return
		}
		h.mu.RLock()
		for _, to := range h.conns {
			if to != c {
				_, _ = to.Write(msg) // whoever has gone is removed by the goroutine that reads from it
			}
		}
		h.mu.RUnlock()
	}
}

// source sends load.StreamSize bytes.
func source(c net.Conn) {
	p := load.Pattern()
	for range load.StreamSize / load.PatternSize {
		if _, err := c.Write(p); err != nil {
			return
		}
	}
}

// sink receives until the peer half-closes, and answers with how much that was. It
// looks at the beginning of each piece only, so as to measure receiving.
func sink(c net.Conn) {
	p := load.Pattern()
	p = append(p, p[:16]...)
	buf := make([]byte, load.PatternSize)
	var count uint64
	for {
		n, err := c.Read(buf)
		if at := count % load.PatternSize; !bytes.HasPrefix(p[at:], buf[:min(n, 16)]) {
			count = load.SinkFailed
			break
		}
		count += uint64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
	}
	// If this fails, the load generator misses its answer.
	_, _ = c.Write(binary.LittleEndian.AppendUint64(nil, count))
}

// sendFile sends the file of that name, with io.Copy.
func sendFile(c net.Conn, name string) {
	f, err := os.Open(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: file server:", err)
		return
	}
	defer f.Close()
	_, _ = io.Copy(c, f)
}

// serveProxy takes connections in pairs and copies from the first to the second.
func serveProxy(ln net.Listener) error {
	for {
		src, err := ln.Accept()
		dst, err2 := ln.Accept()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		go func() {
			defer src.Close()
			defer dst.Close()
			_, _ = io.Copy(dst, src)
		}()
	}
}
