// Idle measures the memory of idle plaintext gRPC connections, in a server and in a client,
// with package net, with netring alone, and with netring and package netringgrpc.
//
//	go run ./idle -conns 10000
//
// The server and the client are processes of their own, so that each has its own limit of
// descriptors. Each connection makes one call and then does nothing. The columns are bytes
// for each connection, after garbage collections: the heap, the goroutines' stacks, the
// runtime's records outside the heap, their sum, and the growth of resident memory, which
// varies from run to run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"

	"google.golang.org/grpc"

	"github.com/netring-go/netring"
)

// Roles of the program's child processes.
const (
	serverRole = "server"
	clientRole = "client"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("idle: ")
	conns := flag.Int("conns", 10000, "number of `connections`")
	names := flag.String("variants", strings.Join(variantNames(), ","), "what to measure, in this order")
	role := flag.String("role", "", "for the program itself: server or client")
	target := flag.String("target", "", "for the program itself: the server's address")
	flag.Parse()

	var err error
	switch *role {
	case "":
		err = run(os.Stdout, *conns, strings.Split(*names, ","))
	case serverRole:
		err = serve(*names)
	case clientRole:
		err = connect(*names, *target, *conns)
	default:
		err = fmt.Errorf("-role is %q; leave it out", *role)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// run measures the variants and prints a table.
func run(w io.Writer, conns int, names []string) error {
	if conns < 1 {
		return fmt.Errorf("-conns is %d; use at least 1", conns)
	}
	for _, name := range names {
		if _, err := variantNamed(name); err != nil {
			return err
		}
	}
	p, err := netring.NewPoller(netring.Config{})
	if err != nil {
		return err
	}
	engine := p.Stats().Engine
	if err := p.Close(); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d connections, engine %s, %s, %s/%s, grpc-go %s\n\n", conns, engine, runtime.Version(), runtime.GOOS, runtime.GOARCH, grpc.Version)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "process\tconnections of\theap\tstacks\truntime\tsum\tresident\tgoroutines\t")
	for _, name := range names {
		used, err := measure(name, conns)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i, role := range []string{serverRole, clientRole} {
			u := used[i]
			fmt.Fprintf(table, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t\n", role, name, u.Heap, u.Stacks, u.Runtime, u.Heap+u.Stacks+u.Runtime, u.Resident, u.Goroutines)
		}
	}
	return table.Flush()
}

// perConn is what a process uses for each connection.
type perConn struct{ Heap, Stacks, Runtime, Resident, Goroutines float64 }

// measure returns what the server and the client use.
func measure(variant string, conns int) (used [2]perConn, err error) {
	server, err := start(serverRole, variant, "", conns)
	if err != nil {
		return used, err
	}
	defer func() { err = errors.Join(err, server.end()) }()
	address, err := server.line()
	if err != nil {
		return used, err
	}
	client, err := start(clientRole, variant, address, conns)
	if err != nil {
		return used, err
	}
	defer func() { err = errors.Join(client.end(), err) }()
	children := [2]*child{server, client}
	var before [2]usage
	for i, c := range children {
		if before[i], err = c.usage(); err != nil {
			return used, err
		}
	}
	if err := client.ask(cmdConnect); err != nil {
		return used, err
	}
	for i, c := range children {
		after, err := c.usage()
		if err != nil {
			return used, err
		}
		used[i] = after.since(before[i], conns)
	}
	return used, nil
}
