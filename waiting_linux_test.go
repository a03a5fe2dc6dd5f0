package netring

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// awaitWaiting waits until n calls of p wait.
func awaitWaiting(t testing.TB, p *Poller, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); p.Stats().Waiting != n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d calls wait, want %d", p.Stats().Waiting, n)
		}
	}
}

// The block profile does not contain waits for the network.
func TestRow23BlockProfile(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector, calls wait on a mutex, which the block profile shows")
	}
	runtime.SetBlockProfileRate(1)
	defer runtime.SetBlockProfileRate(0)
	stacks(t, func(t *testing.T, s *stack) {
		var wg sync.WaitGroup
		for range 20 {
			server, client := s.pair(t)
			waited := make(chan struct{})
			wg.Go(func() {
				for range 3 {
					must(t, server.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
					if _, err := server.Read(make([]byte, 1000)); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("Read: %v", err)
					}
				}
				must(t, server.SetReadDeadline(time.Time{}))
				close(waited)
				if _, err := server.Read(make([]byte, 100)); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				<-waited
				time.Sleep(30 * time.Millisecond) // makes the wait long; synchronises nothing
				if _, err := client.Write([]byte("x")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	n, _ := runtime.BlockProfile(nil)
	records := make([]runtime.BlockProfileRecord, n+100)
	n, _ = runtime.BlockProfile(records)
	for _, r := range records[:n] {
		frames := runtime.CallersFrames(r.Stack())
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			// On a busy machine, goroutines also wait for mutexes, but for less time.
			if strings.Contains(f.Function, "reactor.(*FD).Read") && r.Cycles > 1_000_000_000 {
				t.Errorf("%d waits of %d cycles in %s", r.Count, r.Cycles, f.Function)
			}
		}
	}
}

// While no call waits, netring has no goroutine, even if connections are open.
func TestRow23NoGoroutineWithoutACall(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		before := goleak.IgnoreCurrent()
		ln := s.listen(t)
		var wg sync.WaitGroup
		var servers, clients []net.Conn
		for range 8 {
			client, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer client.Close()
			server, err := ln.Accept()
			must(t, err)
			servers, clients = append(servers, server), append(clients, client)
			wg.Go(func() {
				for range 100 {
					if _, err := client.Write([]byte("ping")); err != nil {
						t.Error(err)
					}
					if _, err := client.Read(make([]byte, 10)); err != nil {
						t.Error(err)
					}
				}
			})
			wg.Go(func() {
				for range 100 {
					n, err := server.Read(make([]byte, 1000))
					if err != nil {
						t.Error(err)
					}
					if _, err := server.Write(make([]byte, n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if err := goleak.Find(before); err != nil {
			t.Errorf("after traffic: %v", err)
		}
		// Other goroutines end calls while the reactors' goroutines sleep. A reactor's
		// goroutine starts when a call that watched for events returns.
		watching := s.poller.Stats().Reactors
		for i, c := range servers {
			wg.Go(func() {
				_, err := c.Read(make([]byte, 1000))
				if i >= watching && !errors.Is(err, os.ErrDeadlineExceeded) || i < watching && err != nil {
					t.Errorf("Read %d: %v", i, err)
				}
			})
			awaitWaiting(t, s.poller, i+1)
		}
		for _, client := range clients[:watching] {
			_, err := client.Write([]byte("x"))
			must(t, err)
		}
		awaitWaiting(t, s.poller, len(servers)-watching)
		time.Sleep(20 * time.Millisecond) // most of them sleep by now; the test passes either way
		for _, c := range servers {
			must(t, c.SetReadDeadline(time.Unix(1, 0)))
		}
		wg.Wait()
		if err := goleak.Find(before); err != nil {
			t.Errorf("after deadlines: %v", err)
		}
		for _, c := range servers {
			must(t, c.Close())
		}
	})
}

// Importing the package opens and starts nothing. A process without free descriptors can
// import it, too.
func TestImportStartsNothing(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "importer")
	build := exec.Command("go", "build", "-o", bin, "./internal/importer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // loading the C library needs a descriptor
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command("sh", "-c", "ulimit -n 3; exec "+bin).CombinedOutput()
	if string(out) != "1 goroutine\n" || err != nil {
		t.Errorf("without free descriptors: %v: %s", err, out)
	}

	cmd := exec.Command(bin)
	// Without these settings, the runtime keeps a file of its cgroup open.
	cmd.Env = append(os.Environ(), "GODEBUG=containermaxprocs=0,updatemaxprocs=0")
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line != "1 goroutine\n" || err != nil {
		t.Errorf("%v: %q", err, line)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", cmd.Process.Pid))
	must(t, err)
	for _, fd := range fds {
		n, err := strconv.Atoi(fd.Name())
		must(t, err)
		// What this process inherited, the child inherits, too.
		flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
		if inherited := err == nil && flags&unix.FD_CLOEXEC == 0; n > 2 && !inherited {
			t.Errorf("the process has descriptor %d open, want 0, 1 and 2 only", n)
		}
	}
	must(t, stdin.Close())
	must(t, cmd.Wait())
}
