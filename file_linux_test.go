package netring

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Bytes received ahead are never lost to File, Detach or a raw Read.
func TestRow10UnreadBytes(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		c := server.(*Conn)
		_, err := client.Write([]byte("header and body"))
		must(t, err)
		buf := make([]byte, 6)
		_, err = io.ReadFull(c, buf)
		must(t, err)
		if n := c.Unread(); n != 9 {
			t.Fatalf("%d bytes are unread, want 9", n)
		}
		rc, err := c.SyscallConn()
		must(t, err)
		_, fileErr := c.File()
		_, detachErr := c.Detach()
		for name, err := range map[string]error{
			"File": fileErr, "Detach": detachErr, "raw Read": rc.Read(func(uintptr) bool { return true }),
		} {
			if !errors.Is(err, ErrUnread) || !strings.Contains(err.Error(), "netring: the connection holds bytes received ahead; read Conn.Unread bytes first") {
				t.Errorf("%s with unread bytes: %v", name, err)
			}
		}
		rest := make([]byte, c.Unread())
		_, err = io.ReadFull(c, rest)
		must(t, err)
		if string(rest) != " and body" {
			t.Errorf("the rest is %q", rest)
		}
		tc, err := c.Detach()
		must(t, err)
		defer tc.Close()
		if _, err := c.Read(buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Read after Detach: %v", err)
		}
		_, err = client.Write([]byte("later"))
		must(t, err)
		if n, err := tc.Read(buf); string(buf[:n]) != "later" || err != nil {
			t.Errorf("the detached connection reads %q, %v", buf[:n], err)
		}
		if !sameAddr(tc.RemoteAddr(), client.LocalAddr()) {
			t.Errorf("its peer is %v", tc.RemoteAddr())
		}
		_, err = tc.Write([]byte("answer"))
		must(t, err)
		if n, err := client.Read(buf); string(buf[:n]) != "answer" || err != nil {
			t.Errorf("its peer reads %q, %v", buf[:n], err)
		}
	})
}

// A File outlives its connection, and closing the connection does not disturb
// the next one with the same descriptor number.
func TestRow10File(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		f, err := server.(interface{ File() (*os.File, error) }).File()
		must(t, err)
		must(t, server.Close())
		next, nextClient := s.pair(t) // probably has server's descriptor number
		_, err = client.Write([]byte("to the file"))
		must(t, err)
		buf := make([]byte, 100)
		f.Fd() // makes the socket blocking
		if n, err := f.Read(buf); string(buf[:n]) != "to the file" || err != nil {
			t.Errorf("the file reads %q, %v", buf[:n], err)
		}
		_, err = nextClient.Write([]byte("to the next"))
		must(t, err)
		if n, err := next.Read(buf); string(buf[:n]) != "to the next" || err != nil {
			t.Errorf("the next connection reads %q, %v", buf[:n], err)
		}
		must(t, f.Close())
		if _, err := client.Read(buf); err != io.EOF {
			t.Errorf("after closing both: %v", err)
		}
	})
}

func TestRow12ListenerFile(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		lf := ln.(interface {
			File() (*os.File, error)
			SyscallConn() (syscall.RawConn, error)
		})
		f, err := lf.File()
		must(t, err)
		defer f.Close()
		std, err := net.FileListener(f)
		must(t, err)
		defer std.Close()
		rc, err := lf.SyscallConn()
		must(t, err)
		must(t, rc.Control(func(uintptr) {}))
		if err := rc.Read(func(uintptr) bool { return true }); err != syscall.EINVAL {
			t.Errorf("raw Read of a listener: %v", err)
		}
		// Both listeners accept. Each connection goes to one of them, and no Accept hangs.
		accepted := make(chan net.Conn, 20)
		var wg sync.WaitGroup
		for _, l := range []net.Listener{ln, std} {
			wg.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					accepted <- c
				}
			})
		}
		for range 20 {
			c, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer c.Close()
		}
		within(t, "accepting", func() {
			for range 20 {
				(<-accepted).Close()
			}
		})
		within(t, "closing", func() {
			must(t, ln.Close())
			must(t, std.Close())
			wg.Wait()
		})
		if _, err := lf.File(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("File after Close: %v", err)
		}
	})
}

// The owner of a duplicate can make a listener blocking, as os.File.Fd does. Package
// net's Accept then blocks a thread, and Close blocks, too. A reactor must not block.
func TestRow12BlockingListener(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		f, err := ln.(*Listener).File()
		must(t, err)
		defer f.Close()
		f.Fd()
		done := make(chan error, 1)
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					done <- err
					return
				}
				unix.SetNonblock(int(f.Fd()), false)
				c.Write([]byte("x"))
				c.Close()
			}
		}()
		within(t, "being served", func() {
			for range 20 {
				c, err := net.Dial("tcp", ln.Addr().String())
				must(t, err)
				if _, err := io.ReadAll(c); err != nil {
					t.Error(err)
				}
				c.Close()
			}
		})
		must(t, ln.Close())
		within(t, "Accept", func() {
			if err := <-done; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
	})
}

// File does not wait for a Read, and neither loses a byte.
func TestRow22FileDuringRead(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		for _, size := range []int{1, 100, 4096} {
			server, client := s.pair(t)
			read := make(chan string, 1)
			go func() {
				buf := make([]byte, size)
				n, err := server.Read(buf)
				if err != nil {
					t.Error(err)
				}
				read <- string(buf[:n])
			}()
			if s.poller != nil {
				awaitWaiting(t, s.poller, 1)
			}
			var f *os.File
			within(t, "File", func() {
				var err error
				f, err = server.(interface{ File() (*os.File, error) }).File()
				must(t, err)
			})
			if _, err := client.Write([]byte("0123456789")); err != nil {
				t.Fatal(err)
			}
			must(t, client.Close())
			got := <-read
			if len(got) != min(size, 10) {
				t.Errorf("a Read of %d bytes took %d", size, len(got))
			}
			rest, err := io.ReadAll(f)
			if got+string(rest) != "0123456789" || err != nil {
				t.Errorf("Read had %q, the file has %q, %v", got, rest, err)
			}
			must(t, f.Close())
		}
	})
}
