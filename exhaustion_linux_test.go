package netring

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A server without free descriptors does not spin and serves its connections. It accepts
// again once descriptors are free.
func TestRow04DescriptorExhaustion(t *testing.T) {
	if arg, ok := isChild(); ok {
		exhaustedServer(t, arg)
		return
	}
	serverChildren(t, nil, func(t *testing.T, addr string, pid int) {
		const clients = 60 // the server has descriptors for a third of them
		var conns []net.Conn
		for range clients {
			c, err := net.Dial("tcp", addr)
			must(t, err)
			defer c.Close()
			_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			must(t, err)
			conns = append(conns, c)
		}
		answered := make(chan net.Conn, clients)
		for _, c := range conns {
			go func() {
				if n, err := c.Read(make([]byte, 1000)); n > 0 && err == nil {
					answered <- c
				}
			}()
		}
		served := 0
		next := func() {
			within(t, "being served", func() {
				c := <-answered
				served++
				c.Close() // frees a descriptor for another client
			})
		}
		// The clients are served one by one while the server has no free descriptor.
		before := processTime(t, pid)
		first := <-answered
		served++
		idle := time.Now()
		for time.Since(idle) < time.Second { // the server has no free descriptor, and no client leaves
			time.Sleep(10 * time.Millisecond)
		}
		used, wall := processTime(t, pid)-before, time.Since(idle)
		if share := float64(used) / float64(wall); share > 0.05 && !raceEnabled {
			t.Errorf("out of descriptors, the server uses %.1f %% CPU", 100*share)
		}
		first.Close()
		for served < clients {
			next()
		}
	})
}

func processTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	var ts unix.Timespec
	// The clock of a process's CPU time, see clock_getcpuclockid(3).
	must(t, unix.ClockGettime(int32(^uint32(pid)<<3|2), &ts))
	return time.Duration(ts.Nano())
}

// exhaustedServer serves HTTP with room for about 20 connections until its
// standard input ends.
func exhaustedServer(t *testing.T, kind string) {
	ln := childStack(t, kind).listen(t)
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	lim := unix.Rlimit{Cur: uint64(len(fds) + 20), Max: uint64(len(fds) + 20)}
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &lim))
	var log logBuffer
	srv := &http.Server{ErrorLog: newLogger(&log), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "hello")
	})}
	fmt.Println(ln.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		srv.Close()
	}()
	if err := srv.Serve(ln); err != http.ErrServerClosed {
		t.Error(err)
	}
	if s := log.String(); !strings.Contains(s, "too many open files; retrying in") {
		t.Errorf("the server never ran out of descriptors: %q", s)
	}
}

// A lack of memory is temporary, too.
func TestRow04TemporaryErrors(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		l := &Listener{net: "tcp", addr: &net.TCPAddr{}}
		err := l.opError("accept", "", acceptError(errno))
		var ne net.Error
		var got syscall.Errno
		//lint:ignore SA1019 servers use it
		if !errors.As(err, &ne) || !ne.Temporary() || ne.Timeout() || !errors.Is(err, errno) || !errors.As(err, &got) || got != errno {
			t.Errorf("%v: %#v", errno, err)
		}
		if want := "accept tcp :0: accept4: " + errno.Error(); err.Error() != want {
			t.Errorf("text %q, want %q", err, want)
		}
	}
}

// withoutDescriptors runs f while the process has no free descriptor.
func withoutDescriptors(t *testing.T, f func()) {
	t.Helper()
	var lim unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &lim))
	low := unix.Rlimit{Cur: 3, Max: lim.Max}
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	defer func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &lim)) }()
	f()
}
