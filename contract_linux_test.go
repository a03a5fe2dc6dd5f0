package netring

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests TestRowNN… check the rows of docs/contract.md.

// child runs this test binary again, to run only the test t, which tells by
// isChild that it is the child. args are passed in the environment.
func child(t *testing.T, args string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe, "-test.run", "^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v=false")
	cmd.Env = append(os.Environ(), "NETRING_TEST_CHILD="+args)
	return cmd
}

// serverChildren runs f with a child that is a server, for each kind of server that
// childStack knows. The child prints its address, and ends with its input. pid is the
// child's.
func serverChildren(t *testing.T, env []string, f func(t *testing.T, addr string, pid int)) {
	for _, kind := range []string{"net", "uring", "syscall"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "uring" {
				newPoller(t, Config{Engine: EngineURing}) // skips where there is none
			}
			cmd := child(t, kind)
			cmd.Env = append(cmd.Env, env...)
			in, err := cmd.StdinPipe()
			must(t, err)
			out, err := cmd.StdoutPipe()
			must(t, err)
			cmd.Stderr = os.Stderr
			must(t, cmd.Start())
			defer func() {
				must(t, in.Close())
				if err := cmd.Wait(); err != nil {
					t.Errorf("the server: %v", err)
				}
			}()
			var addr string
			_, err = fmt.Fscan(out, &addr)
			must(t, err)
			f(t, addr, cmd.Process.Pid)
		})
	}
}

// childStack is what a server of the given kind uses.
func childStack(t *testing.T, kind string) *stack {
	s := &stack{name: kind}
	switch kind {
	case "uring":
		s.poller = newPoller(t, Config{Engine: EngineURing})
	case "syscall":
		s.poller = newPoller(t, Config{Engine: EngineSyscall})
	}
	return s
}

func isChild() (args string, ok bool) { return os.LookupEnv("NETRING_TEST_CHILD") }

// Out of descriptors, a server does not spin, serves those it has, and goes on
// once there are descriptors again.
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
				c.Close() // makes room for another
			})
		}
		// One by one is served, although the server is out of descriptors all along.
		before := processTime(t, pid)
		first := <-answered
		served++
		idle := time.Now()
		for time.Since(idle) < time.Second { // exhausted, and nobody goes away
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

// Running out of memory is temporary, too.
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

// transferFile returns a file of n bytes, at its beginning, and its content.
func transferFile(t *testing.T, n int) (*os.File, []byte) {
	t.Helper()
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*i>>7 ^ i)
	}
	name := filepath.Join(t.TempDir(), "data")
	must(t, os.WriteFile(name, data, 0o600))
	f, err := os.Open(name)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f, data
}

// receive reads all that comes from c, in the background.
func receive(c net.Conn) <-chan []byte {
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(struct{ io.Reader }{c})
		got <- b
	}()
	return got
}

type hiddenFile struct { // not an *os.File, but a syscall.Conn
	io.Reader
	syscall.Conn
}

func TestRow08Sendfile(t *testing.T) {
	const size = 3 << 20
	for _, tc := range []struct {
		name   string
		limit  int64 // < 0: none
		skip   int64 // where the file is at
		hidden bool
	}{
		{"whole", -1, 0, false},
		{"from the middle", -1, size / 2, false},
		{"limited", 100_001, 7, false},
		{"limit beyond the end", size, size - 10, false},
		{"limit 0", 0, 0, false},
		{"hidden", -1, 5, true},
		{"hidden and limited", 10, 5, true},
		{"at the end", -1, size, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				f, data := transferFile(t, size)
				server, client := s.pair(t)
				_, err := f.Seek(tc.skip, io.SeekStart)
				must(t, err)
				var r io.Reader = f
				if tc.hidden {
					r = hiddenFile{f, f}
				}
				want := data[tc.skip:]
				var lr *io.LimitedReader
				if tc.limit >= 0 {
					lr = &io.LimitedReader{R: r, N: tc.limit}
					r, want = lr, want[:min(tc.limit, int64(len(want)))]
				}
				got := receive(client)
				n, err := server.(io.ReaderFrom).ReadFrom(r)
				must(t, err)
				must(t, server.Close())
				if n != int64(len(want)) || !bytes.Equal(<-got, want) {
					t.Errorf("sent %d bytes, want %d, or they differ", n, len(want))
				}
				if pos, err := f.Seek(0, io.SeekCurrent); err != nil || pos != tc.skip+n {
					t.Errorf("the file is at %d, want %d (%v)", pos, tc.skip+n, err)
				}
				if lr != nil && lr.N != tc.limit-n {
					t.Errorf("the limit left is %d, want %d", lr.N, tc.limit-n)
				}
			})
		})
	}
	// A limit above what the sockets hold, so that it takes several calls.
	stacks(t, func(t *testing.T, s *stack) {
		f, data := transferFile(t, 24<<20)
		server, client := s.pair(t)
		const limit = 20 << 20
		got := receive(client)
		n, err := server.(io.ReaderFrom).ReadFrom(&io.LimitedReader{R: f, N: limit})
		must(t, errors.Join(err, server.Close()))
		if n != limit || !bytes.Equal(<-got, data[:limit]) {
			t.Errorf("sent %d bytes, want %d, or they differ", n, limit)
		}
	})
	// What the above is about: no byte came through memory.
	rings(t, func(t *testing.T, s *stack) {
		f, data := transferFile(t, size)
		server, client := s.pair(t)
		got := receive(client)
		n, handled, err := server.(*Conn).moveFrom(f, -1)
		must(t, errors.Join(err, server.Close()))
		if n != size || !handled || !bytes.Equal(<-got, data) {
			t.Errorf("%d bytes went by sendfile (%v)", n, handled)
		}
		// A reader without a file goes through memory.
		server, client = s.pair(t)
		got = receive(client)
		m, err := server.(*Conn).ReadFrom(bytes.NewReader(data))
		must(t, errors.Join(err, server.Close()))
		if m != size || !bytes.Equal(<-got, data) {
			t.Errorf("%d bytes were copied", m)
		}
	})
}

// A transfer is ended by its deadline and by Close, and says how far it came.
func TestRow08TransferInterrupted(t *testing.T) {
	for _, tc := range [][2]string{{"sendfile", "deadline"}, {"sendfile", "close"}, {"splice", "deadline"}, {"splice", "close"}} {
		how := tc[1]
		t.Run(tc[0]+", "+how, func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				server, client := s.pair(t)
				var f io.Reader
				if tc[0] == "sendfile" {
					f, _ = transferFile(t, 32<<20) // more than fits the sockets' buffers
				} else {
					src, in := s.pair(t)
					f = src
					sent := make(chan bool)
					go func() {
						defer close(sent)
						in.Write(make([]byte, 64<<20)) // ends when the test closes it
					}()
					defer func() { in.Close(); <-sent }()
				}
				type result struct {
					n   int64
					err error
				}
				done := make(chan result, 1)
				go func() {
					n, err := server.(io.ReaderFrom).ReadFrom(f)
					done <- result{n, err}
				}()
				one := make([]byte, 1)
				_, err := io.ReadFull(client, one) // it is under way
				must(t, err)
				want := net.ErrClosed
				if how == "close" {
					must(t, server.Close())
				} else {
					want = os.ErrDeadlineExceeded
					must(t, server.SetWriteDeadline(time.Now()))
				}
				var res result
				within(t, "the transfer", func() { res = <-done })
				oe, ok := res.err.(*net.OpError)
				if !ok || oe.Op != "readfrom" || !errors.Is(oe.Err, want) {
					t.Errorf("it ended with %#v", res.err)
				}
				if how == "deadline" {
					must(t, server.Close())
					if tc[0] == "splice" {
						return // what is in the pipe is lost, on both stacks
					}
					rest, err := io.ReadAll(client)
					if err != nil || int64(len(rest))+1 != res.n {
						t.Errorf("it says %d bytes, the peer got %d (%v)", res.n, len(rest)+1, err)
					}
				}
			})
		})
	}
}

// A file of 1 GiB arrives byte for byte, by sendfile.
func TestRow08OneGiB(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const size = 1 << 30
	f, err := os.Create(filepath.Join(t.TempDir(), "big"))
	must(t, err)
	defer f.Close()
	block := make([]byte, 64<<10)
	for off := int64(0); off < size; off += 16 << 20 { // with holes in between
		for i := range block {
			block[i] = byte(int64(i) ^ off>>20 ^ int64(i)>>8)
		}
		_, err := f.WriteAt(block, off+off>>10)
		must(t, err)
	}
	must(t, f.Truncate(size))
	want := sha256.New()
	_, err = io.Copy(want, f)
	must(t, err)
	rings(t, func(t *testing.T, s *stack) {
		_, err := f.Seek(0, io.SeekStart)
		must(t, err)
		server, client := s.pair(t)
		sent := make(chan error, 1)
		go func() {
			n, handled, err := server.(*Conn).moveFrom(f, -1)
			if n != size || !handled {
				t.Errorf("%d bytes went by sendfile (%v)", n, handled)
			}
			sent <- errors.Join(err, server.Close())
		}()
		got := sha256.New()
		n, err := io.CopyBuffer(struct{ io.Writer }{got}, struct{ io.Reader }{client}, make([]byte, 1<<20))
		must(t, errors.Join(err, <-sent))
		if n != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("%d bytes arrived, or they differ", n)
		}
	})
}

// proxyPairs runs f with a connection to read from and one to write to, of net
// and netring in each combination.
func proxyPairs(t *testing.T, f func(t *testing.T, in, src, dst, out net.Conn)) {
	rings(t, func(t *testing.T, s *stack) {
		std := &stack{name: "net"}
		for name, pair := range map[string][2]*stack{
			"netring to netring": {s, s}, "net to netring": {std, s}, "netring to net": {s, std},
		} {
			t.Run(name, func(t *testing.T) {
				src, in := pair[0].pair(t)
				dst, out := pair[1].pair(t)
				f(t, in, src, dst, out)
			})
		}
	})
}

func TestRow08Splice(t *testing.T) {
	proxyPairs(t, func(t *testing.T, in, src, dst, out net.Conn) {
		_, data := transferFile(t, 5<<20)
		go func() {
			in.Write(data)
			in.(*net.TCPConn).CloseWrite()
		}()
		// Part of it is read ahead, by a small read.
		head := make([]byte, 3)
		_, err := io.ReadFull(src, head)
		must(t, err)
		got := receive(out)
		// Bounded first, then to the end, both by io.Copy.
		n1, err := io.Copy(dst, &io.LimitedReader{R: src, N: 1_000_000})
		must(t, err)
		n2, err := io.Copy(dst, src)
		must(t, err)
		must(t, dst.Close())
		if n1 != 1_000_000 || n1+n2+3 != int64(len(data)) {
			t.Errorf("copied %d and %d bytes", n1, n2)
		}
		if !bytes.Equal(append(head, <-got...), data) {
			t.Error("the copy differs")
		}
	})
}

func TestRow09WriteTo(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		_, data := transferFile(t, 1<<20)
		server, client := s.pair(t)
		go func() {
			client.Write(data)
			client.Close()
		}()
		var b bytes.Buffer
		n, err := server.(io.WriterTo).WriteTo(&b)
		if n != int64(len(data)) || err != nil || !bytes.Equal(b.Bytes(), data) {
			t.Errorf("WriteTo: %d, %v", n, err)
		}
	})
	// Between connections, no byte goes through memory, and an error is told.
	proxyPairs(t, func(t *testing.T, in, src, dst, out net.Conn) {
		must(t, src.SetReadDeadline(time.Unix(1, 0)))
		_, err := io.Copy(dst, src)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a copy after the deadline: %v", err)
		}
		must(t, src.SetReadDeadline(time.Time{}))
		if c, ok := dst.(*Conn); ok {
			in.Write([]byte("hello"))
			in.Close()
			n, handled, err := c.moveFrom(src, -1)
			if n != 5 || !handled || err != nil {
				t.Errorf("spliced %d bytes (%v), %v", n, handled, err)
			}
		}
	})
}

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
		// Ordinary reads go on after it, and so do raw writes.
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
			if !errors.Is(err, ErrUnread) || !strings.Contains(err.Error(), "Read them first") {
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
		next, nextClient := s.pair(t) // likely to have the number of server
		_, err = client.Write([]byte("to the file"))
		must(t, err)
		buf := make([]byte, 100)
		f.Fd() // makes it blocking
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

// What the setters set, on both stacks.
func TestRow11Options(t *testing.T) {
	type setters interface {
		SetKeepAlive(bool) error
		SetKeepAlivePeriod(time.Duration) error
		SetKeepAliveConfig(net.KeepAliveConfig) error
		SetNoDelay(bool) error
		SetLinger(int) error
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
		MultipathTCP() (bool, error)
	}
	steps := []struct {
		name string
		set  func(c setters) error
	}{
		{"nothing", func(setters) error { return nil }},
		{"NoDelay off", func(c setters) error { return c.SetNoDelay(false) }},
		{"NoDelay on", func(c setters) error { return c.SetNoDelay(true) }},
		{"KeepAlive off", func(c setters) error { return c.SetKeepAlive(false) }},
		{"KeepAlive on", func(c setters) error { return c.SetKeepAlive(true) }},
		{"period", func(c setters) error { return c.SetKeepAlivePeriod(2500 * time.Millisecond) }},
		{"period 0", func(c setters) error { return c.SetKeepAlivePeriod(0) }},
		{"period < 0", func(c setters) error { return c.SetKeepAlivePeriod(-1) }},
		{"config", func(c setters) error {
			return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: time.Second, Count: 4})
		}},
		{"config off", func(c setters) error {
			return c.SetKeepAliveConfig(net.KeepAliveConfig{Idle: -1, Interval: -1, Count: -1})
		}},
		{"linger 0", func(c setters) error { return c.SetLinger(0) }},
		{"linger 3", func(c setters) error { return c.SetLinger(3) }},
		{"linger off", func(c setters) error { return c.SetLinger(-1) }},
		{"ReadBuffer", func(c setters) error { return c.SetReadBuffer(20_000) }},
		{"WriteBuffer", func(c setters) error { return c.SetWriteBuffer(30_000) }},
		{"MultipathTCP", func(c setters) error {
			if used, err := c.MultipathTCP(); used || err != nil {
				return fmt.Errorf("used %v, %w", used, err)
			}
			return nil
		}},
	}
	results := map[string][]string{}
	stacks(t, func(t *testing.T, s *stack) {
		server, _ := s.pair(t)
		for _, step := range steps {
			err := step.set(server.(setters))
			results[s.name] = append(results[s.name], fmt.Sprint(step.name, " ", err, " ", optionValues(t, server)))
		}
		must(t, server.Close())
		for _, step := range steps[1 : len(steps)-1] { // MultipathTCP reports true without an error in package net
			err := step.set(server.(setters))
			text := strings.NewReplacer(server.LocalAddr().String(), "LOCAL", server.RemoteAddr().String(), "REMOTE").Replace(fmt.Sprint(err))
			results[s.name] = append(results[s.name], fmt.Sprintf("%s after Close: %s %T", step.name, text, err))
		}
	})
	for name, got := range results {
		for i, want := range results["net"] {
			if got[i] != want {
				t.Errorf("%s: %s\nnet: %s", name, got[i], want)
			}
		}
	}
}

func optionValues(t *testing.T, c net.Conn) string {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	must(t, err)
	var b strings.Builder
	must(t, rc.Control(func(fd uintptr) {
		for _, o := range [][2]int{
			{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT}, {unix.SOL_SOCKET, unix.SO_RCVBUF}, {unix.SOL_SOCKET, unix.SO_SNDBUF},
		} {
			v, err := unix.GetsockoptInt(int(fd), o[0], o[1])
			if o[1] == unix.SO_RCVBUF && o[0] == unix.SOL_SOCKET && v > 100_000 || o[1] == unix.SO_SNDBUF && o[0] == unix.SOL_SOCKET && v > 100_000 {
				v = -1 // the kernel's own choice, which varies
			}
			fmt.Fprint(&b, v, " ", err, " ")
		}
		var l unix.Linger
		size := uint32(8)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_LINGER, uintptr(ptr(&l)), uintptr(ptr(&size)), 0)
		fmt.Fprint(&b, l, errno)
	}))
	return b.String()
}

// A lingering Close waits in its own goroutine, not in the reactor.
func TestRow11LingerDoesNotBlockOthers(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		ln := s.listen(t)
		var servers, clients []net.Conn
		for range 8 { // several on each reactor
			client, err := net.Dial("tcp", ln.Addr().String())
			must(t, err)
			defer client.Close()
			server, err := ln.Accept()
			must(t, err)
			defer server.Close()
			servers, clients = append(servers, server), append(clients, client)
		}
		// The first one has data that the peer does not take.
		lingering := servers[0].(*Conn)
		must(t, lingering.SetLinger(30))
		must(t, lingering.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
		lingering.Write(make([]byte, 64<<20))
		closed := make(chan error, 1)
		go func() { closed <- lingering.Close() }()
		within(t, "starting to close", func() {
			for !errors.Is(lingering.SetDeadline(time.Time{}), net.ErrClosed) {
				time.Sleep(100 * time.Microsecond)
			}
		})
		within(t, "the other connections", func() {
			for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
				for i := 1; i < len(servers); i++ {
					if _, err := servers[i].Write([]byte("x")); err != nil {
						t.Error(err)
					}
					if _, err := clients[i].Read(make([]byte, 1)); err != nil {
						t.Error(err)
					}
				}
			}
		})
		must(t, clients[0].Close()) // ends the lingering
		within(t, "Close", func() { <-closed })
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
		// Both accept; each connection goes to one of them, and nobody hangs.
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

// Whoever has a duplicate of a listener can make the socket blocking, as
// os.File.Fd does. Package net's Accept then blocks a thread, and Close with it;
// a reactor must not.
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

// A *Conn is never used again for another connection.
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

// Nothing netring opens is inherited by a child.
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
				continue // the descriptor that ReadDir used
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

// Writev is one write, of any number of pieces.
func TestWritev(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		c := server.(*Conn)
		var want []byte
		got := receive(client)
		for _, pieces := range []int{0, 1, 2, 7, 1023, 1024, 1025, 3000} {
			var bufs [][]byte
			for i := range pieces {
				p := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, i*pieces%700)
				bufs = append(bufs, p)
				want = append(want, p...)
			}
			before := fmt.Sprint(len(bufs), bytes.Join(bufs, nil))
			total := len(bytes.Join(bufs, nil))
			if n, err := c.Writev(bufs); n != int64(total) || err != nil {
				t.Fatalf("%d pieces: %d of %d bytes, %v", pieces, n, total, err)
			}
			if fmt.Sprint(len(bufs), bytes.Join(bufs, nil)) != before {
				t.Error("Writev changed its argument")
			}
		}
		must(t, c.Close())
		if !bytes.Equal(<-got, want) {
			t.Error("the peer got something else")
		}
		_, err := c.Writev([][]byte{{1}})
		checkOpError(t, err, "writev", c.LocalAddr(), c.RemoteAddr(), net.ErrClosed, 0)
	})
}

func TestReadLease(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		server, client := s.pair(t)
		c := server.(*Conn)
		_, data := transferFile(t, 300_000)
		go func() {
			client.Write(data)
			client.Close()
		}()
		var got []byte
		one := make([]byte, 1)
		var leases []Lease
		for i := 0; ; i++ {
			if i%3 == 0 { // small reads leave a chunk, which the next lease has
				n, err := c.Read(one)
				got = append(got, one[:n]...)
				if err == io.EOF {
					break
				}
				must(t, err)
			}
			l, err := c.ReadLease()
			if err == io.EOF {
				break
			}
			must(t, err)
			got = append(got, l.Bytes()...)
			leases = append(leases, l)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("got %d bytes of %d, or they differ", len(got), len(data))
		}
		used := s.poller.Stats().Buffers.InUse
		if used == 0 || used > len(leases) {
			t.Errorf("%d leases, and %d buffers in use", len(leases), used)
		}
		must(t, c.Close())
		if _, err := c.ReadLease(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		for i := range leases { // they outlive the connection
			leases[i].Release()
		}
		if n := s.poller.Stats().Buffers.InUse; n != 0 {
			t.Errorf("%d buffers in use after Release", n)
		}
		func() {
			defer func() {
				if recover() == nil && used > 0 {
					t.Error("a second Release went unnoticed")
				}
			}()
			for i := range leases {
				leases[i].Release()
			}
		}()
		var zero Lease
		zero.Release()
	})
}

// Leases beyond the shared buffers have memory of their own.
func TestReadLeaseRunsOut(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			s := &stack{poller: newPoller(t, Config{Engine: engine, Reactors: 1, Buffers: 2, BufferSize: 512})}
			var leases []Lease
			for i := range 5 {
				server, client := s.pair(t)
				_, err := client.Write([]byte{byte(i), 7})
				must(t, err)
				l, err := server.(*Conn).ReadLease()
				must(t, err)
				leases = append(leases, l)
			}
			for i := range leases {
				if want := []byte{byte(i), 7}; !bytes.Equal(leases[i].Bytes(), want) {
					t.Errorf("lease %d has %v", i, leases[i].Bytes())
				}
				leases[i].Release()
			}
		})
	}
}

// Methods of package net's types that programs use through interfaces exist.
func TestMethodSets(t *testing.T) {
	has := func(of reflect.Type, without map[string]bool, have reflect.Type) {
		for i := range of.NumMethod() {
			m := of.Method(i)
			if _, ok := have.MethodByName(m.Name); !ok && !without[m.Name] {
				t.Errorf("%v has %s, %v has not", of, m.Name, have)
			}
		}
	}
	has(reflect.TypeFor[*net.TCPConn](), nil, reflect.TypeFor[*Conn]())
	has(reflect.TypeFor[*net.UnixConn](), map[string]bool{ // of datagrams and control messages
		"ReadFromUnix": true, "ReadMsgUnix": true, "WriteMsgUnix": true, "WriteTo": true, "WriteToUnix": true,
	}, reflect.TypeFor[*Conn]())
	has(reflect.TypeFor[*net.TCPListener](), map[string]bool{"AcceptTCP": true}, reflect.TypeFor[*Listener]())
	has(reflect.TypeFor[*net.UnixListener](), map[string]bool{"AcceptUnix": true}, reflect.TypeFor[*Listener]())
	has(reflect.TypeFor[*net.ListenConfig](), map[string]bool{"ListenPacket": true}, reflect.TypeFor[*ListenConfig]())
	has(reflect.TypeFor[*net.Dialer](), map[string]bool{ // they return package net's own types
		"DialIP": true, "DialTCP": true, "DialUDP": true, "DialUnix": true,
	}, reflect.TypeFor[*Dialer]())
	// And the fields of the configurations.
	for std, ours := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[net.ListenConfig](): reflect.TypeFor[ListenConfig](), reflect.TypeFor[net.Dialer](): reflect.TypeFor[Dialer](),
	} {
		for i := range std.NumField() {
			f := std.Field(i)
			// DualStack and Cancel are deprecated, for ten years.
			if _, ok := ours.FieldByName(f.Name); !ok && f.IsExported() && f.Name != "DualStack" && f.Name != "Cancel" {
				t.Errorf("%v has the field %s, %v has not", std, f.Name, ours)
			}
		}
	}
}
