package netring

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRow10SyscallConn(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		rc, err := server.(syscall.Conn).SyscallConn()
		must(t, err)
		var opt int
		var oerr error
		must(t, rc.Control(func(fd uintptr) { opt, oerr = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE) }))
		if opt != unix.SOCK_STREAM || oerr != nil {
			t.Errorf("SO_TYPE is %d, %v", opt, oerr)
		}
		// Read waits, and then reads what is there.
		go client.Write([]byte("raw bytes"))
		buf := make([]byte, 100)
		var n int
		must(t, rc.Read(func(fd uintptr) bool {
			n, oerr = unix.Read(int(fd), buf)
			return oerr != unix.EAGAIN
		}))
		if string(buf[:n]) != "raw bytes" || oerr != nil {
			t.Errorf("read %q, %v", buf[:n], oerr)
		}
		// Ordinary reads and raw writes still work after a raw Read.
		client.Write([]byte("more"))
		if n, err := server.Read(buf); string(buf[:n]) != "more" || err != nil {
			t.Errorf("Read: %q, %v", buf[:n], err)
		}
		sent := 0
		chunk := make([]byte, 1<<20)
		got := receive(client)
		for sent < 8<<20 {
			must(t, rc.Write(func(fd uintptr) bool {
				k, err := unix.Write(int(fd), chunk)
				sent += max(k, 0)
				return err != unix.EAGAIN
			}))
		}
		must(t, server.Close())
		if g := len(<-got); g != sent {
			t.Errorf("the peer got %d bytes of %d", g, sent)
		}
		laddr, raddr := server.LocalAddr(), server.RemoteAddr()
		checkOpError(t, rc.Control(func(uintptr) { t.Error("called after Close") }), "raw-control", nil, laddr, net.ErrClosed, 0)
		checkOpError(t, rc.Read(func(uintptr) bool { return true }), "raw-read", laddr, raddr, net.ErrClosed, 0)
		checkOpError(t, rc.Write(func(uintptr) bool { return true }), "raw-write", laddr, raddr, net.ErrClosed, 0)
	})
}

// RawConn's Read honours deadlines and Close while it waits.
func TestRow10RawReadInterrupted(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		for _, want := range []error{os.ErrDeadlineExceeded, net.ErrClosed} {
			server, _ := s.pair(t)
			rc, err := server.(syscall.Conn).SyscallConn()
			must(t, err)
			entered, done := make(chan bool, 100), make(chan error, 1)
			go func() {
				done <- rc.Read(func(uintptr) bool { entered <- true; return false })
			}()
			<-entered
			if want == net.ErrClosed {
				must(t, server.Close())
			} else {
				must(t, server.SetReadDeadline(time.Unix(1, 0)))
			}
			within(t, "Read", func() {
				if err := <-done; !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			})
		}
	})
}
