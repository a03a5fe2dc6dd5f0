//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netring-go/netring"
)

// patience is how long Shutdown waits for clients to send their next request.
const patience = 3 * time.Second

// server is an http.Server whose Shutdown loses no request of a client that keeps sending
// on one connection. Shutdown of http.Server closes a connection between two requests,
// when the next may be on its way.
type server struct {
	*http.Server
	ln    net.Listener
	pid   int
	stats func() netring.Stats

	ending   atomic.Bool    // ask clients to connect again
	served   chan struct{}  // closed when Serve has returned
	conns    sync.WaitGroup // open connections
	accepted atomic.Uint64  // connections
}

func newServer(ln net.Listener, pid int, stats func() netring.Stats) *server {
	s := &server{ln: ln, pid: pid, stats: stats, served: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.hello)
	mux.HandleFunc("GET /stats", s.report)
	s.Server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ConnState: s.count}
	return s
}

// count counts the connections. net/http calls it for a new connection before Serve
// accepts the next.
func (s *server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
		s.accepted.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Done()
	}
}

func (s *server) hello(w http.ResponseWriter, _ *http.Request) {
	if s.ending.Load() {
		w.Header().Set("Connection", "close") // the next connection goes to the new process
	}
	fmt.Fprintf(w, "Hello from process %d!\n", s.pid)
}

// report is what /stats returns.
type report struct {
	PID      int           `json:"pid"`
	Accepted uint64        `json:"accepted"` // connections that net/http has got
	Netring  netring.Stats `json:"netring"`  // what netring has served of them
}

func (s *server) report(w http.ResponseWriter, _ *http.Request) {
	r := report{PID: s.pid, Accepted: s.accepted.Load()}
	r.Netring = s.stats()
	w.Header().Set("Connection", "close")
	if err := json.NewEncoder(w).Encode(r); err != nil {
		log.Printf("/stats: %v", err)
	}
}

// Serve serves until Shutdown.
func (s *server) Serve(ln net.Listener) error {
	defer close(s.served)
	return s.Server.Serve(ln)
}

// Shutdown stops accepting, asks the clients to connect again, and waits until they have
// done so or were idle for too long.
func (s *server) Shutdown(ctx context.Context) error {
	s.ending.Store(true)
	err := s.ln.Close()
	if errors.Is(err, net.ErrClosed) { // the second call
		err = nil
	}
	<-s.served // after the connections that netring has accepted ahead
	gone := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(gone)
	}()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-gone:
	case <-timeout.C:
	case <-ctx.Done():
	}
	return errors.Join(err, s.Server.Shutdown(ctx))
}
