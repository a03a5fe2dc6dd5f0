package main

import (
	"fmt"
	"slices"
	"strings"
)

// row is one workload.
type row struct {
	name   string
	server string // its kind
	job    loadJob
	table  string // tableRate if empty
	unit   string // what a request is, "request" if empty
	cw     bool   // shows coalescing writes: with the "+cw" implementations
	c      bool   // with the event loop in C
	fresh  bool   // each turn has a server process of its own
}

// rows returns all workloads. idle is the number of idle connections where there
// are many.
func rows(idle int) []row {
	return slices.Concat(httpRows(idle), echoRows(), bulkRows(), []row{
		{
			name: "broadcast of 100 B to 2000 conns, per delivery", server: serverBroadcast,
			job: loadJob{Kind: loadBroadcast, Conns: 2000}, unit: "delivery", cw: true, fresh: true,
		},
		{
			name: "16 quiet conns, echo 128 B", server: serverEcho,
			job: loadJob{Kind: loadFair, Size: 128, Conns: 16}, table: tableFairness,
		},
		{
			name: fmt.Sprintf("%d idle conns", idle), server: serverRead,
			job: loadJob{Kind: loadHold, Size: 128, Idle: idle}, table: tableMemory, unit: "connection", fresh: true,
		},
	})
}

func httpRows(idle int) (rs []row) {
	for _, n := range []int{1, 16, 64, 256, 1024} {
		rs = append(rs, row{name: fmt.Sprintf("HTTP, %d conns", n), server: serverHTTP, job: loadJob{Kind: loadHTTP, Conns: n}})
	}
	return append(rs,
		row{
			name: "HTTP, 32 conns, 16 pipelined", server: serverHTTP,
			job: loadJob{Kind: loadHTTP, Conns: 32, Pipeline: 16}, cw: true,
		},
		row{name: "HTTP, 64 clients, a conn per request", server: serverHTTP, job: loadJob{Kind: loadClose, Conns: 64}},
		// To connect is more work than to accept, so above it is the clients who are busy.
		row{
			name: "HTTP, SHA-256 of 32 KiB each, 64 clients, a conn per request", server: serverLightWork,
			job: loadJob{Kind: loadClose, Conns: 64},
		},
		row{
			name: fmt.Sprintf("HTTP, 64 conns beside %d idle", idle), server: serverHTTP,
			job: loadJob{Kind: loadHTTP, Conns: 64, Idle: idle}, fresh: true,
		},
		row{
			name: "HTTP, SHA-256 of 128 KiB each, 5000 requests/s at random", server: serverWork,
			job: loadJob{Kind: loadPaced, Conns: 64, Rate: 5000},
		},
		row{name: "HTTPS, 64 conns", server: serverTLS, job: loadJob{Kind: loadTLS, Conns: 64}},
		row{
			name: fmt.Sprintf("gRPC, 4 conns, %d calls each", grpcCalls), server: serverGRPC,
			job: loadJob{Kind: loadGRPC, Conns: 4}, unit: "call",
		},
		row{name: "HTTP through a reverse proxy, 64 conns", server: serverReverse, job: loadJob{Kind: loadHTTP, Conns: 64}},
	)
}

func echoRows() (rs []row) {
	for _, size := range []int{128, 4 << 10, 64 << 10} {
		name := fmt.Sprintf("%d B", size)
		if size >= 1024 {
			name = fmt.Sprintf("%d KiB", size>>10)
		}
		conns := []int{1, 32, 256}
		if size == 128 {
			conns = []int{1, 32, 64, 256}
		}
		for _, n := range conns {
			rs = append(rs, row{
				name: fmt.Sprintf("echo %s, %d conns", name, n), server: serverEcho,
				job: loadJob{Kind: loadEcho, Size: size, Conns: n}, c: size == 128 && n == 64,
			})
		}
	}
	return rs
}

func bulkRows() []row {
	bulk := func(name, server, load string, conns int) row {
		return row{name: name + ", per MiB", server: server, job: loadJob{Kind: load, Conns: conns}, unit: "MiB"}
	}
	return []row{
		bulk("file of 1 GiB", serverFile, loadFile, 1),
		bulk("io.Copy between connections", serverProxy, loadProxy, 2),
		bulk("server sends 1 GiB", serverSource, loadSource, 1),
		bulk("server receives 1 GiB", serverSink, loadSink, 1),
	}
}

// The implementations that are not this program's own.
const implC = "c-epoll"

// peers are other network libraries, and the kinds of servers they have.
var peers = map[string][]string{
	"gnet":     {serverEcho},
	"netpoll":  {serverEcho},
	"nbio":     {serverEcho, serverHTTP},
	"go-uring": {serverEcho, serverHTTP},
	"rio":      {serverEcho, serverHTTP},
}

// serverOf returns the kind of server that impl runs for r, and whether the row
// applies to it at all.
func (r row) serverOf(impl string) (kind string, ok bool) {
	if kinds, peer := peers[impl]; peer {
		return r.server, slices.Contains(kinds, r.server)
	}
	_, variant, _ := strings.Cut(impl, "+")
	switch {
	case variant == "lease":
		return serverLease, r.table == tableMemory
	case variant == "cw":
		return r.server, r.cw
	case impl == implC:
		return r.server, r.c
	}
	return r.server, true
}

// descriptors is about how many a process needs for r.
func (r row) descriptors() uint64 { return uint64(r.job.Conns+r.job.Idle) + 128 }
