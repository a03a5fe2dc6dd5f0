package main

import (
	"context"
	_ "embed"
	"expvar"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/netring-go/netring"
	netringprom "github.com/netring-go/netring/integrations/prometheus"
)

//go:embed page.html
var page []byte

// newServer returns the server. Shutdown ends its event streams.
func newServer(p *netring.Poller, interval time.Duration) *http.Server {
	times := newStopwatch()
	reg := prometheus.NewRegistry()
	reg.MustRegister(netringprom.NewCollector(p), collectors.NewGoCollector(), times.histogram)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", servePage)
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hello, World!\n") })
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.Handle("GET /debug/vars", expvar.Handler())

	all := http.NewServeMux()
	all.Handle("/", times.measure(mux))
	all.Handle("GET /events", &feed{poller: p, times: times, interval: interval}) // lasts, so it is not measured

	ctx, cancel := context.WithCancel(context.Background())
	srv := &http.Server{
		Handler:           all,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       times.connContext,
		ConnState:         times.connState,
	}
	srv.RegisterOnShutdown(cancel)
	return srv
}

func servePage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:")
	w.Write(page)
}
