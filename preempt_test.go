//go:build linux

package netring

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// TestBusyNeighbour has a server with one P, after a while of silence or of little to
// do, compute for one connection when another has a request. The Go runtime has to
// share the P out.
func TestBusyNeighbour(t *testing.T) {
	const computation = 500 * time.Millisecond
	if kind, ok := isChild(); ok {
		computingServer(t, kind, computation)
		return
	}
	for _, kind := range []string{"net", "uring", "syscall"} {
		if kind == "uring" {
			newPoller(t, Config{Engine: EngineURing}) // skips where there is none
		}
		cmd, in, addr := serverChild(t, kind, "GOMAXPROCS=1")
		var conns [2]net.Conn
		for i := range conns {
			c, err := net.Dial("tcp", addr)
			must(t, err)
			must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
			conns[i] = c
			ask(t, c, "p", "p")
		}
		busy, other := conns[0], conns[1]
		for _, pings := range []int{0, 100} {
			time.Sleep(100 * time.Millisecond) // for the server to be idle is what this is about
			for range pings {
				ask(t, other, "p", "p")
				time.Sleep(time.Millisecond)
			}
			ask(t, busy, "c", "s")
			ask(t, other, "p", "p")
			must(t, busy.SetReadDeadline(time.Now().Add(time.Millisecond)))
			if n, err := busy.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: a request had to wait for another's computation of %v: %d, %v", kind, computation, n, err)
				break
			}
			must(t, busy.SetReadDeadline(time.Now().Add(20*time.Second)))
			ask(t, busy, "", "e")
		}
		for _, c := range conns {
			must(t, c.Close())
		}
		must(t, in.Close())
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: the server: %v", kind, err)
		}
	}
}

// ask sends a request and expects an answer.
func ask(t *testing.T, c net.Conn, request, answer string) {
	t.Helper()
	_, err := io.WriteString(c, request)
	must(t, err)
	got := make([]byte, len(answer))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != answer {
		t.Fatalf("%q was answered with %q, %v", request, got, err)
	}
}

// computingServer answers p with p, and c with s when it starts to compute and e when
// it has ended.
func computingServer(t *testing.T, kind string, computation time.Duration) {
	ln := childStack(t, kind).listen(t)
	fmt.Println(ln.Addr())
	go func() {
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		ln.Close()
	}()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			b := make([]byte, 1)
			for {
				if _, err := c.Read(b); err != nil {
					return
				}
				reply := "p"
				if b[0] == 'c' {
					if _, err := io.WriteString(c, "s"); err != nil {
						return
					}
					for start := time.Now(); time.Since(start) < computation; {
					}
					reply = "e"
				}
				if _, err := io.WriteString(c, reply); err != nil {
					return
				}
			}
		})
	}
}
