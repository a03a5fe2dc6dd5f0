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
	netringexpvar "github.com/netring-go/netring/integrations/expvar"
	netringprom "github.com/netring-go/netring/integrations/prometheus"
)

//go:embed page.html
var page []byte

// newServer returns the server of the Poller p, which has the given stats. p is nil if
// package net serves. Shutdown ends the event streams. A process has one such server,
// because expvar's names are global.
func newServer(p *netring.Poller, stats func() netring.Stats, interval time.Duration) *http.Server {
	times := newStopwatch()
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), times.histogram)
	if p != nil {
		reg.MustRegister(netringprom.NewCollector(p))
		netringexpvar.Publish("netring", p)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", servePage)
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "Hello, World!\n") })
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.Handle("GET /debug/vars", expvar.Handler())

	all := http.NewServeMux()
	all.Handle("/", times.measure(mux))
	all.Handle("GET /events", &feed{stats: stats, times: times, interval: interval}) // lasts, so it is not measured

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
