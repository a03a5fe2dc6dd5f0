package netring

import (
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A *Conn never becomes another connection.
func TestRow16NeverReused(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		seen := map[net.Conn]bool{}
		ln := s.listen(t)
		for range 100 {
			client, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			c, err := ln.Accept()
			must(t, err)
			if seen[c] {
				t.Fatal("a Conn came back")
			}
			seen[c] = true
			must(t, c.Close())
			must(t, client.Close())
		}
	})
}

// Child processes inherit no descriptor.
func TestRow17CloseOnExec(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		server, _ := s.pairBoth(t)
		s.listen(t)
		f, err := server.(*Conn).File()
		must(t, err)
		defer f.Close()
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		n := 0
		for _, e := range entries {
			fd, err := strconv.Atoi(e.Name())
			must(t, err)
			target, err := os.Readlink("/proc/self/fd/" + e.Name())
			if fd <= 2 || err != nil {
				continue
			}
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if err == unix.EBADF {
				continue // ReadDir's own descriptor
			}
			if strings.HasPrefix(target, "socket:") || strings.HasPrefix(target, "anon_inode:") {
				n++
				if err != nil || flags&unix.FD_CLOEXEC == 0 {
					t.Errorf("descriptor %d, %s, is inherited (%#x, %v)", fd, target, flags, err)
				}
			}
		}
		if n < 5 { // two connections, a listener, epoll, File's duplicate
			t.Errorf("only %d descriptors were looked at", n)
		}
	})
}

// An unreachable Conn is closed.
func TestRow17UnreachableConn(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		client, err := net.Dial("tcp", ln.Addr().String())
		must(t, err)
		defer client.Close()
		func() {
			c, err := ln.Accept()
			must(t, err)
			_, err = c.Write([]byte("x"))
			must(t, err)
		}()
		done := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(client)
			done <- err
		}()
		within(t, "the garbage collector", func() {
			for {
				runtime.GC()
				select {
				case err := <-done:
					if err != nil {
						t.Error(err)
					}
					return
				case <-time.After(time.Millisecond):
				}
			}
		})
	})
}

// An unreachable Listener is closed.
func TestRow17UnreachableListener(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		var addr string
		func() {
			ln, err := s.tryListen("tcp", "127.0.0.1:0")
			must(t, err)
			addr = ln.Addr().String()
		}()
		within(t, "the garbage collector", func() {
			for {
				runtime.GC()
				c, err := net.Dial("tcp", addr)
				if err != nil {
					return
				}
				c.Close()
			}
		})
	})
}
