package netring

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// In TestBusyNeighbour, a server with one P is idle or little busy for a while. Then it
// computes for one connection until a request arrives on another. The Go runtime must
// divide the P between both.
func TestBusyNeighbour(t *testing.T) {
	if kind, ok := isChild(); ok {
		computingServer(t, kind)
		return
	}
	serverChildren(t, []string{"GOMAXPROCS=1"}, func(t *testing.T, addr string, _ int) {
		var conns [2]net.Conn
		for i := range conns {
			c, err := net.Dial("tcp", addr)
			must(t, err)
			defer c.Close()
			must(t, c.SetDeadline(time.Now().Add(30*time.Second)))
			conns[i] = c
			ask(t, c, "p", "p")
		}
		busy, other := conns[0], conns[1]
		for _, pings := range []int{0, 100} {
			time.Sleep(100 * time.Millisecond) // keeps the server idle; synchronises nothing
			for range pings {
				ask(t, other, "p", "p")
				time.Sleep(time.Millisecond)
			}
			ask(t, busy, "c", "s")
			ask(t, other, "p", "p")
			if answer := ask(t, busy, "", "e", "t"); answer == "t" {
				t.Fatal("a request had to wait until another's computation was over")
			}
		}
	})
}

// ask sends a request and expects one of the given answers.
func ask(t *testing.T, c net.Conn, request string, answers ...string) string {
	t.Helper()
	_, err := io.WriteString(c, request)
	must(t, err)
	answer := make([]byte, 1)
	if _, err := c.Read(answer); err != nil || !slices.Contains(answers, string(answer)) {
		t.Fatalf("%q was answered with %q, %v", request, answer, err)
	}
	return string(answer)
}

// computingServer answers p with p. It answers c with s, and then computes until a p
// arrives on another connection. After that it answers e, or t if no p arrived in time.
func computingServer(t *testing.T, kind string) {
	const tooLong = 5 * time.Second
	ln := childStack(t, kind).listen(t)
	fmt.Println(ln.Addr())
	go func() {
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		ln.Close()
	}()
	var pings atomic.Int64
	compute := func(before int64) (answer string) {
		for start := time.Now(); pings.Load() == before; {
			if time.Since(start) > tooLong {
				return "t"
			}
		}
		return "e"
	}
	serveConns(ln, func(c net.Conn) {
		request := make([]byte, 1)
		for {
			if _, err := c.Read(request); err != nil {
				return
			}
			answer := "p"
			if request[0] == 'c' {
				before := pings.Load()
				if _, err := io.WriteString(c, "s"); err != nil {
					return
				}
				answer = compute(before)
			} else {
				pings.Add(1)
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
}

// A call with nothing to wait for does not wait for other goroutines. Here, a turn of
// the scheduler runs 20 goroutines.
func TestRow26NothingWaitsForATurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	stacks(t, func(t *testing.T, s *stack) {
		const conns, computing = 40, 20
		ln := s.listen(t)
		var servers, clients []net.Conn
		for range conns {
			client, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer client.Close()
			server, err := ln.Accept()
			must(t, err)
			defer server.Close()
			servers, clients = append(servers, server), append(clients, client)
		}
		// Every connection waits once, so that its reactor watches it. Then some wait until
		// the end, so that a goroutine watches.
		var waiting sync.WaitGroup
		defer waiting.Wait()
		for i, c := range servers {
			waiting.Go(func() {
				c.Read(make([]byte, 1000))
				if i >= conns/2 {
					c.Read(make([]byte, 1000))
				}
			})
		}
		time.Sleep(10 * time.Millisecond) // most of them wait by now; the test passes either way
		for _, c := range clients {
			_, err := c.Write([]byte("x"))
			must(t, err)
		}
		var turns atomic.Int64
		var stop atomic.Bool
		var wg sync.WaitGroup
		defer wg.Wait()
		defer stop.Store(true)
		for range computing {
			wg.Go(func() {
				for !stop.Load() {
					turns.Add(1)
					for start := time.Now(); time.Since(start) < 100*time.Microsecond; {
					}
					runtime.Gosched()
				}
			})
		}
		count := func(what string, n int, f func(i int) error) {
			t.Helper()
			before := turns.Load()
			for i := range n {
				if err := f(i); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			// The scheduler sometimes preempts this goroutine, also with package net.
			if got := turns.Load() - before; got > int64(n*computing/4) {
				t.Errorf("%d times %s let others compute %d times: a turn is %d", n, what, got, computing)
			}
		}
		if !s.buffered { // a buffered write waits for a batch
			count("CloseWrite", conns/2, func(i int) error { return servers[i].(interface{ CloseWrite() error }).CloseWrite() })
		}
		count("Close", conns/2, func(i int) error { return servers[i].Close() })
		for i := range conns {
			clients[i].Close()
		}
	})
}
