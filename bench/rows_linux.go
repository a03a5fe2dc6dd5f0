package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netring-go/netring/bench/internal/child"
	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/report"
	"github.com/netring-go/netring/bench/internal/server"
	"github.com/netring-go/netring/bench/modes"
)

// workload is a row of compare, without its servers.
type workload struct {
	row
	kind  string   // of the servers
	extra []string // further servers, beside net, uring, syscall and peers: "+cw", "+lease", programC
}

// workloads returns the workloads of compare. idle is the number of idle connections in those with
// many.
func workloads(idle int) (ws []workload) {
	add := func(name, kind string, job load.Job, extra ...string) *workload {
		if job.Kind == "" {
			job.Kind = load.HTTP
		}
		fresh := job.Idle > 0 || job.Kind == load.Broadcast
		ws = append(ws, workload{row{name: name, job: job, fresh: fresh}, kind, extra})
		return &ws[len(ws)-1]
	}
	for _, n := range []int{1, 16, 64, 256, 1024} {
		add(fmt.Sprintf("HTTP, %d conns", n), server.HTTP, load.Job{Conns: n})
	}
	for _, n := range []int{16, 64, 256} {
		add(fmt.Sprintf("HTTP with timeouts, %d conns", n), server.Timeouts, load.Job{Conns: n}, "+cw")
	}
	add("HTTP, JSON, 64 conns", server.JSON, load.Job{JSON: true, Conns: 64}, "+cw")
	for _, n := range []int{64, 256} {
		add(fmt.Sprintf("fasthttp, %d conns", n), server.FastHTTP, load.Job{Conns: n})
	}
	add("fasthttp, 64 conns, 16 pipelined", server.FastHTTP, load.Job{Conns: 64, Pipeline: 16}, "+cw")
	add("WebSocket echo 128 B, 64 conns", server.WebSocket, load.Job{Kind: load.WebSocket, Size: 128, Conns: 64}, "+cw")
	add("redis, 64 conns, 16 pipelined", server.Redis, load.Job{Kind: load.Redis, Conns: 64, Pipeline: 16}, "+cw")
	add("HTTP, 32 conns, 16 pipelined", server.HTTP, load.Job{Conns: 32, Pipeline: 16}, "+cw")
	add("HTTP, 64 clients, a conn per request", server.HTTP, load.Job{Conns: 64, Fresh: true})
	// Connecting takes longer than accepting. With only that to do, the server would be idle.
	add("HTTP, 64 clients, a conn and SHA-256 of 32 KiB each", server.LightWork, load.Job{Conns: 64, Fresh: true})
	add(fmt.Sprintf("HTTP, 64 conns beside %d idle", idle), server.HTTP, load.Job{Conns: 64, Idle: idle})
	add("HTTP, SHA-256 of 128 KiB, 5000 requests/s at random", server.Work, load.Job{Conns: 64, Rate: 5000})
	add("HTTPS, 64 conns", server.HTTPS, load.Job{Kind: load.HTTPS, Conns: 64})
	add(fmt.Sprintf("gRPC, 4 conns, %d calls each", load.GRPCCalls), server.GRPC, load.Job{Kind: load.GRPC, Conns: 4})
	add("HTTP through a reverse proxy, 64 conns", server.Reverse, load.Job{Conns: 64})

	for _, size := range []int{128, 4 << 10} {
		for _, n := range []int{32, 128} {
			add(fmt.Sprintf("relay %d B, %d conns", size, n), server.Relay, load.Job{Kind: load.Echo, Size: size, Conns: n}, "+cw")
		}
	}
	for _, n := range []int{1, 32, 64, 256} {
		add(fmt.Sprintf("echo 128 B, %d conns", n), server.Echo, load.Job{Kind: load.Echo, Size: 128, Conns: n}, programC)
	}
	for _, kib := range []int{4, 64} {
		for _, n := range []int{1, 32, 256} {
			add(fmt.Sprintf("echo %d KiB, %d conns", kib, n), server.Echo, load.Job{Kind: load.Echo, Size: kib << 10, Conns: n})
		}
	}

	add("file of 1 GiB, per MiB", server.File, load.Job{Kind: load.File, Conns: 1})
	add("io.Copy between connections, per MiB", server.Proxy, load.Job{Kind: load.Proxy, Conns: 2})
	add("server sends 1 GiB, per MiB", server.Source, load.Job{Kind: load.Source, Conns: 1})
	add("server receives 1 GiB, per MiB", server.Sink, load.Job{Kind: load.Sink, Conns: 1})
	add("broadcast of 100 B to 2000 conns, per delivery", server.Broadcast, load.Job{Kind: load.Broadcast, Conns: 2000}, "+cw")

	fair := add("16 quiet conns, echo 128 B", server.Echo, load.Job{Kind: load.Fair, Size: 128, Conns: 16, Rate: 16 * 500})
	fair.table, fair.section = report.TableFairness, "quiet connections beside one that floods"
	for _, percent := range []int{50, 70, 85} {
		open := add(fmt.Sprintf("64 conns, %d %% of what net can do", percent), server.Timeouts, load.Job{Conns: 64, Regular: true}, "+cw")
		open.table, open.section, open.share = report.TableOpen, "HTTP with timeouts, requests at regular times", float64(percent)/100
	}
	held := add(fmt.Sprintf("%d idle conns", idle), server.Read, load.Job{Kind: load.Hold, Size: 128, Idle: idle}, "+lease")
	held.table, held.section = report.TableMemory, "memory of the server for each idle connection"
	return ws
}

var (
	// ownServers are the servers of this program, and the epoll loop in C.
	ownServers = []string{"net", "uring", "syscall", "uring+cw", "syscall+cw", "uring+lease", "syscall+lease", programC}

	seccompServers = []string{"net", "net+seccomp", "uring", "uring+seccomp", "syscall", "syscall+seccomp"}

	// peers are the servers on other network libraries, and peerKinds the kinds of each.
	peers     = []string{"gnet", "netpoll", "nbio", "go-uring", "rio"}
	peerKinds = map[string][]string{
		"gnet": {server.Echo}, "netpoll": {server.Echo},
		"nbio": {server.Echo, server.HTTP}, "go-uring": {server.Echo, server.HTTP}, "rio": {server.Echo, server.HTTP},
	}
)

// entrant returns the server of that name for w. ok is false if the server takes no part in w.
func (w workload) entrant(name string) (e entrant, ok bool) {
	e = entrant{name: name, cfg: server.Config{Kind: w.kind}}
	name, e.variant, _ = strings.Cut(name, "@")
	if kinds, peer := peerKinds[name]; peer || name == programC {
		e.program = name
		return e, slices.Contains(kinds, w.kind) || slices.Contains(w.extra, name)
	}
	stack, variant, _ := strings.Cut(name, "+")
	e.cfg.Stack, e.cfg.Seccomp, e.cfg.Coalesce = stack, variant == "seccomp", variant == "cw"
	if variant == "lease" {
		e.cfg.Kind = server.Lease
	}
	return e, variant == "" || variant == "seccomp" || slices.Contains(w.extra, "+"+variant)
}

// compareRows returns the rows of compare, with the servers of these names.
func compareRows(o *options, names []string) (rows []row) {
	for _, w := range workloads(o.idle) {
		if !o.wants(w.name) {
			continue
		}
		for _, name := range names {
			if e, ok := w.entrant(name); ok {
				w.servers = append(w.servers, e)
			}
		}
		w.bases = names[:1]
		rows = append(rows, w.row)
	}
	return rows
}

// compare compares netring with package net, the epoll loop in C and other libraries.
func compare(o *options) ([]row, error) {
	names := strings.Split(o.impls, ",")
	if o.peers {
		names = append(names, peers...)
	}
	known := slices.Concat(ownServers, seccompServers, peers)
	for i, name := range names {
		server, _, variant := strings.Cut(name, "@")
		if !slices.Contains(known, server) || slices.Contains(names[:i], name) || variant && !variantOf.MatchString(name) {
			return nil, fmt.Errorf("-impls has %q, which is unknown, repeated or a malformed variant; use %s, server@revision, "+
				"server@constant=expression;constant=expression, and -peers for other libraries", name, strings.Join(ownServers, ","))
		}
	}
	if o.quick && o.match == "" {
		o.only = report.Overview()
	}
	return inSettings(o.settings, compareRows(o, names)), nil
}

// seccomp compares each server with and without a seccomp filter like a container's.
func seccomp(o *options) ([]row, error) {
	if o.match == "" {
		o.only = []string{"HTTP, 1 conns", "HTTP, 64 conns", "echo 128 B, 64 conns", "HTTP, 64 clients, a conn per request"}
	}
	rows := compareRows(o, seccompServers)
	for i := range rows {
		rows[i].table, rows[i].bases = report.TableModes, []string{"net", report.Unfiltered}
	}
	return inSettings(o.settings, rows), nil
}

// raw returns a server on a stack that answers like the servers of package modes.
func raw(name string, cfg server.Config) entrant {
	cfg.Kind = server.HTTPRaw
	return entrant{name: name, cfg: cfg}
}

// compareModes compares the servers of package modes with netring and package net.
func compareModes(o *options) ([]row, error) {
	var rows []row
	for _, shape := range []string{modes.Loop, modes.Goroutines} {
		r := row{
			name: fmt.Sprintf("%d connections", o.conns), section: shape, table: report.TableModes,
			job: load.Job{Kind: load.Raw, Conns: o.conns}, servers: []entrant{raw("net", server.Config{Stack: "net"})},
			bases: []string{"net", modes.Epoll + ", unlocked"},
		}
		if shape == modes.Goroutines {
			r.bases[1] = "netring, uring"
			r.servers = append(r.servers, raw("netring, uring", server.Config{Stack: "uring"}),
				raw("netring, uring, 1 reactor", server.Config{Stack: "uring", Reactors: 1}),
				raw("netring, syscall", server.Config{Stack: "syscall"}))
		}
		matched := false
		for _, s := range modes.Servers() {
			if s.Shape != shape {
				continue
			}
			is := o.wants(shape + "/" + s.Name())
			matched = matched || is
			if is || s.Name() == r.bases[1] {
				r.servers = append(r.servers, entrant{name: s.Name(), cfg: server.Config{Kind: server.Mode, Mode: shape + "/" + s.Name()}})
			}
		}
		if matched {
			rows = append(rows, r)
		}
	}
	return inSettings(o.settings, rows), nil
}

// explainModes prints a table of the modes.
func explainModes(p report.Printer) {
	lines := [][]string{{"mode", "what it is"}}
	seen := map[string]bool{}
	for _, s := range modes.Servers() {
		if !seen[s.Mode] {
			seen[s.Mode] = true
			lines = append(lines, []string{s.Mode, s.What})
		}
	}
	p.Heading(2, "Modes")
	p.Table(2, lines)
}

// scaling measures how cost grows with connections, reactors and listeners.
func scaling(o *options) ([]row, error) {
	var rows []row
	add := func(setting, section string, r row) {
		if o.wants(section) {
			r.setting, r.section = setting, section
			rows = append(rows, r)
		}
	}
	stacks := []entrant{raw("net", server.Config{Stack: "net"}), raw("uring", server.Config{Stack: "uring"}), raw("syscall", server.Config{Stack: "syscall"})}
	for _, n := range []int{1, 16, 64, 256, 1024} {
		add(child.OneCore, "busy connections", row{name: fmt.Sprintf("%d busy conns", n), table: report.TableLoops, job: load.Job{Kind: load.Raw, Conns: n}, servers: stacks})
	}
	for _, n := range []int{0, 1000, 5000} {
		add(child.OneCore, "idle connections", row{name: fmt.Sprintf("64 busy conns beside %d idle", n), job: load.Job{Kind: load.Raw, Conns: 64, Idle: n}, servers: stacks, fresh: true})
	}
	var readers, sizes []entrant
	for _, e := range stacks {
		e.cfg.Kind = server.Read
		readers = append(readers, e)
	}
	for _, n := range []int{1000, 5000} {
		add(child.OneCore, "memory of idle connections", row{name: fmt.Sprintf("%d idle conns", n), table: report.TableHeap, job: load.Job{Kind: load.Hold, Size: 128, Idle: n}, servers: readers, fresh: true})
	}
	for _, n := range []int{1, 2, 4, 8, 16} {
		sizes = append(sizes, raw(fmt.Sprintf("reactors: %d", n), server.Config{Stack: "uring", Reactors: n}))
	}
	for _, n := range []int{64, 256} {
		add(child.Shared, "reactors", row{name: fmt.Sprintf("%d conns on uring", n), table: report.TableLoops, job: load.Job{Kind: load.Raw, Conns: n}, servers: sizes})
	}
	accepting := []entrant{
		raw("uring", server.Config{Stack: "uring"}),
		raw("net", server.Config{Stack: "net"}),
		raw("net, 2 listeners", server.Config{Stack: "net", Listeners: 2}),
		raw("uring, 2 listeners", server.Config{Stack: "uring", Listeners: 2}),
		raw("uring, 4 listeners", server.Config{Stack: "uring", Listeners: 4}),
		raw("uring, 2 Pollers of a listener", server.Config{Stack: "uring", Pollers: 2, Reactors: 1}),
	}
	for i := range accepting {
		accepting[i].cfg.Kind = server.HTTPClose
	}
	add(child.Shared, "listeners", row{name: "a conn per request, 64 clients", table: report.TableAccepts, servers: accepting, job: load.Job{Kind: load.Raw, Conns: 64, Fresh: true}})
	add(child.Shared, "cost of a reactor", row{name: "a reactor that does nothing", table: report.TableReactor, servers: stacks[1:], fresh: true})
	return rows, nil
}
