package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/tidwall/redcon"
	"github.com/valyala/fasthttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/netring-go/netring"
	"github.com/netring-go/netring/bench/internal/load"
)

// At the end of a turn the load generator closes connections in the middle of messages. Servers
// therefore ignore the errors of connections.

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, load.Body) }

func serveHTTP(ln net.Listener) error { return http.Serve(ln, http.HandlerFunc(hello)) }

// serveTimeouts serves h with the timeouts that servers in production have.
func serveTimeouts(ln net.Listener, h http.Handler) error {
	s := http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	return s.Serve(ln)
}

// jsonHandler returns a mux that answers with load.JSONBody, and logs each request.
func jsonHandler() http.Handler {
	type answer struct {
		Message string `json:"message"`
	}
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer{"Hello, World!"}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		logger.Info("request", "method", r.Method, "path", r.URL.Path, "remote", r.RemoteAddr)
	})
	return mux
}

// serveFastHTTP is serveHTTP with fasthttp.
func serveFastHTTP(ln net.Listener) error {
	return fasthttp.Serve(ln, func(ctx *fasthttp.RequestCtx) { _, _ = ctx.WriteString(load.Body) })
}

// echoMessages upgrades to WebSocket and echoes messages.
func echoMessages(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // and the client has been told
	}
	defer c.CloseNow()
	for {
		kind, msg, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, msg); err != nil {
			return
		}
	}
}

// serveRedis answers each GET with load.Body.
func serveRedis(ln net.Listener) error {
	return redcon.Serve(ln, func(c redcon.Conn, cmd redcon.Command) {
		if len(cmd.Args) != 2 || !bytes.EqualFold(cmd.Args[0], []byte("get")) {
			c.WriteError("ERR only GET is known")
			return
		}
		c.WriteBulkString(load.Body)
	}, nil, nil)
}

// serveRelay copies between each connection and one that it makes to the backend.
func (s *server) serveRelay(st stack, ln net.Listener) error {
	backend := fmt.Sprintf("127.0.0.1:%d", s.cfg.Backend)
	return serve(ln, func(c net.Conn) {
		up, err := st.dial(context.Background(), "tcp", backend)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return
		}
		defer up.Close()
		go func() {
			_, _ = io.Copy(up, c)
			_ = up.(interface{ CloseWrite() error }).CloseWrite()
		}()
		_, _ = io.Copy(c, up)
	})
}

// serveWork is serveHTTP, but hashes size bytes for each request.
func serveWork(ln net.Listener, size int) error {
	data := make([]byte, size)
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sum := sha256.Sum256(data); sum == [sha256.Size]byte{} {
			http.Error(w, "the hash is 0", http.StatusInternalServerError)
			return
		}
		hello(w, r)
	}))
}

// serveHTTPS is serveHTTP over TLS 1.3, with the certificate of httptest.
func serveHTTPS(ln net.Listener) error {
	from := httptest.NewUnstartedServer(nil)
	from.StartTLS()
	cfg := &tls.Config{Certificates: from.TLS.Certificates, MinVersion: tls.VersionTLS13}
	from.Close()
	return serveHTTP(tls.NewListener(ln, cfg))
}

// serveReverse is a reverse proxy in front of an HTTP server. Both use st and run in this process:
// its CPU time is that of both hops.
func (s *server) serveReverse(st stack, ln net.Listener) error {
	backend, err := st.listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { s.failed <- fmt.Errorf("backend: %w", serveHTTP(backend)) }()
	const maxIdle = 1024 // more than any workload has connections
	return http.Serve(ln, &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backend.Addr().String()})
		},
		Transport: &http.Transport{DialContext: st.dial, MaxIdleConnsPerHost: maxIdle, DisableCompression: true},
		// It would log each client that hangs up. The load generator reports other failures: they
		// make the proxy answer 502.
		ErrorLog: log.New(io.Discard, "", 0),
	})
}

// serveGRPC answers health checks, a service that is part of grpc-go.
func serveGRPC(ln net.Listener) error {
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	return s.Serve(ln)
}

// serve runs f for each connection, on its own goroutine, and then closes the connection.
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

// answerReads answers each of n reads with RawAnswer. A read returns a whole request.
func answerReads(c net.Conn, n int) {
	buf, out := make([]byte, 1024), []byte(load.RawAnswer)
	for range n {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// echo sends back what it reads, with a buffer of size bytes.
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

// echoLease is echo for netring's connections, without its own buffer. Its frame must stay small:
// a slightly larger one doubles the stacks of most goroutines.
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

// hub sends each message of a connection to all others, in turn, on the goroutine that received
// the message.
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
				_, _ = to.Write(msg) // if it fails, the goroutine that reads from the connection removes it
			}
		}
		h.mu.RUnlock()
	}
}

func source(c net.Conn) {
	p := load.Pattern()
	for range load.StreamSize / load.PatternSize {
		if _, err := c.Write(p); err != nil {
			return
		}
	}
}

// sink receives until the client half-closes, and answers with the number of bytes. It checks only
// the beginning of each piece, as the workload measures receiving.
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
	// If this fails, the load generator reports that the answer is missing.
	_, _ = c.Write(binary.LittleEndian.AppendUint64(nil, count))
}

// sendFile sends the file of that name, with io.Copy.
func sendFile(c net.Conn, name string) {
	f, err := os.Open(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return
	}
	defer f.Close()
	_, _ = io.Copy(c, f)
}

// serveProxy accepts connections in pairs and copies from the first to the second.
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
