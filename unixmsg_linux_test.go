package netring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// messenger has the methods for messages of *net.UnixConn and *Conn.
type messenger interface {
	net.Conn
	ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error)
	WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error)
	ReadFromUnix(b []byte) (int, *net.UnixAddr, error)
	WriteToUnix(b []byte, addr *net.UnixAddr) (int, error)
	CloseWrite() error
}

var (
	_ messenger = (*net.UnixConn)(nil)
	_ messenger = (*Conn)(nil)
	_ messenger = (*portableConn)(nil)
)

// unixPair returns the two ends of a unix connection of the stack under test.
func (s *stack) unixPair(t testing.TB, network string) (server, client messenger) {
	t.Helper()
	ln := s.listenOn(t, network, filepath.Join(t.TempDir(), "s"))
	dialled, err := s.dialWith(net.Dialer{})(context.Background(), network, ln.Addr().String())
	must(t, err)
	t.Cleanup(func() { closeQuietly(t, dialled) })
	c, err := ln.Accept()
	must(t, err)
	t.Cleanup(func() { closeQuietly(t, c) })
	return c.(messenger), dialled.(messenger)
}

// messages exchanges messages and descriptors, and returns a transcript.
func messages(t testing.TB, network string, c, peer messenger, dir string) string {
	var log strings.Builder
	note := func(format string, args ...any) {
		fmt.Fprintf(&log, "%s\n", strings.ReplaceAll(fmt.Sprintf(format, args...), dir, "DIR"))
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer f.Close()
	_, err = f.WriteString("by descriptor")
	must(t, err)
	for _, way := range []struct {
		name     string
		from, to messenger
	}{{"to the peer", c, peer}, {"from the peer", peer, c}} {
		n, oobn, err := way.from.WriteMsgUnix([]byte("with rights"), unix.UnixRights(int(f.Fd())), nil)
		note("%s: sent %d, %d, %v", way.name, n, oobn, err)
		b, oob := make([]byte, 100), make([]byte, unix.CmsgSpace(4))
		n, oobn, flags, addr, err := way.to.ReadMsgUnix(b, oob)
		note("received %q, %d, %#x, %v, %v: %s", b[:n], oobn, flags, addr, err, received(t, oob[:oobn]))

		_, _, err = way.from.WriteMsgUnix([]byte("dropped rights"), unix.UnixRights(int(f.Fd())), nil)
		note("sent again: %v", err)
		n, addr, err = way.to.ReadFromUnix(b)
		note("ReadFromUnix: %q, %v, %v", b[:n], addr, err)
	}
	for i, c := range []messenger{c, peer} {
		name := []string{"accepted", "dialled"}[i]
		n, err := c.WriteToUnix([]byte("x"), &net.UnixAddr{Name: "/nowhere", Net: network})
		note("WriteToUnix, %s: %d, %v, %v", name, n, err, errors.Is(err, net.ErrWriteToConnected))
		if n > 0 {
			_, _, err := peer.ReadFromUnix(make([]byte, 10))
			note("it arrives: %v", err)
		}
		_, err = c.WriteToUnix([]byte("x"), nil)
		note("nowhere: %v", err)
		_, err = c.WriteToUnix([]byte("x"), &net.UnixAddr{Name: "/nowhere", Net: "unixgram"})
		note("elsewhere: %v", err)
	}
	n, oobn, err := c.WriteMsgUnix([]byte("x"), nil, &net.UnixAddr{Name: "/nowhere", Net: "unixgram"})
	note("to a datagram socket: %d, %d, %v", n, oobn, err)

	must(t, c.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
	n, oobn, flags, addr, err := c.ReadMsgUnix(make([]byte, 10), nil)
	note("at the deadline: %d, %d, %d, %v, %v, %v", max(n, 0), oobn, flags, addr, err, errors.Is(err, os.ErrDeadlineExceeded))
	must(t, c.SetReadDeadline(time.Time{}))
	must(t, peer.CloseWrite())
	n, _, _, addr, err = c.ReadMsgUnix(make([]byte, 10), nil)
	note("at the end: %d, %v, %v, %v", n, addr, err, errors.Is(err, io.EOF))
	n, addr, err = c.ReadFromUnix(make([]byte, 10))
	note("at the end: %d, %v, %v, %v", n, addr, err, errors.Is(err, io.EOF))
	must(t, peer.Close())
	_, _, err = c.WriteMsgUnix([]byte("x"), nil, nil)
	note("to nobody: %v, %v", err, errors.Is(err, unix.EPIPE))
	must(t, c.Close())
	_, _, _, _, err = c.ReadMsgUnix(make([]byte, 10), nil)
	note("closed: %v, %v", err, errors.Is(err, net.ErrClosed))
	_, _, err = c.WriteMsgUnix([]byte("x"), nil, nil)
	note("closed: %v, %v", err, errors.Is(err, net.ErrClosed))
	return log.String()
}

// received says what the descriptor in a control message is, and closes it.
func received(t testing.TB, oob []byte) string {
	t.Helper()
	cmsgs, err := unix.ParseSocketControlMessage(oob)
	must(t, err)
	if len(cmsgs) != 1 {
		return fmt.Sprintf("%d control messages", len(cmsgs))
	}
	fds, err := unix.ParseUnixRights(&cmsgs[0])
	must(t, err)
	flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0)
	must(t, err)
	f := os.NewFile(uintptr(fds[0]), "received")
	defer f.Close()
	content := make([]byte, 100)
	n, err := f.ReadAt(content, 0)
	if err != io.EOF {
		t.Error(err)
	}
	return fmt.Sprintf("%d descriptors, the first close-on-exec %v, content %q", len(fds), flags&unix.FD_CLOEXEC != 0, content[:n])
}

// Messages with descriptors are as package net's, down to the texts of errors.
func TestRow14UnixMessages(t *testing.T) {
	for _, network := range []string{"unix", "unixpacket"} {
		t.Run(network, func(t *testing.T) {
			want := ""
			stacks(t, func(t *testing.T, s *stack) {
				c, peer := s.unixPair(t, network)
				got := messages(t, network, c, peer, filepath.Dir(peer.RemoteAddr().String()))
				if want == "" {
					want = got
					if !strings.Contains(want, `content "by descriptor"`) {
						t.Fatal(want)
					}
				}
				if got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		})
	}
}

// What was buffered leaves before a message.
func TestUnixMessageAfterBuffer(t *testing.T) {
	for _, engine := range engines(t) {
		s := &stack{poller: newPoller(t, Config{Engine: engine, Coalesce: 4096})}
		c, peer := s.unixPair(t, "unix")
		_, err := c.Write([]byte("one "))
		must(t, err)
		_, _, err = c.WriteMsgUnix([]byte("two"), nil, nil)
		must(t, err)
		got := make([]byte, 7)
		if _, err := io.ReadFull(peer, got); err != nil || string(got) != "one two" {
			t.Errorf("%v: %q, %v", engine, got, err)
		}
	}
}

// The methods for messages fail on a TCP connection and on the zero Conn.
func TestUnixMessagesOfOthers(t *testing.T) {
	rings(t, func(t *testing.T, s *stack) {
		server, _ := s.pair(t)
		refusesMessages(t, server.(*Conn), new(Conn), (*Conn)(nil))
	})
}

// refusesMessages checks that the methods for messages fail.
func refusesMessages(t testing.TB, conns ...messenger) {
	t.Helper()
	for _, c := range conns {
		_, _, _, _, err1 := c.ReadMsgUnix(make([]byte, 1), nil)
		_, _, err2 := c.ReadFromUnix(make([]byte, 1))
		_, _, err3 := c.WriteMsgUnix(make([]byte, 1), nil, nil)
		_, err4 := c.WriteToUnix(make([]byte, 1), nil)
		for i, err := range []error{err1, err2, err3, err4} {
			if err != unix.EINVAL {
				t.Errorf("method %d of %T: %v", i, c, err)
			}
		}
	}
}

// A unixpacket connection keeps the boundaries of messages, whatever sends them.
func TestRow14Unixpacket(t *testing.T) {
	stacks(t, func(t *testing.T, s *stack) {
		c, peer := s.unixPair(t, "unixpacket")
		for _, a := range []net.Addr{c.LocalAddr(), c.RemoteAddr()} {
			if a.Network() != "unixpacket" {
				t.Errorf("the address %v is of %q", a, a.Network())
			}
		}
		read := func(from net.Conn, size int, want string) {
			t.Helper()
			must(t, from.SetReadDeadline(time.Now().Add(20*time.Second)))
			b := make([]byte, size)
			if n, err := from.Read(b); string(b[:n]) != want || err != nil {
				t.Errorf("read %q, %v, want %q", b[:n], err, want)
			}
		}
		for _, m := range []string{"one", "two", "three"} {
			_, err := peer.Write([]byte(m))
			must(t, err)
			_, err = c.Write([]byte(m))
			must(t, err)
		}
		for _, m := range []string{"one", "two", "three"} {
			read(c, 100, m)
			read(peer, 2, m[:2]) // the rest of the message is lost
		}
		if nc, ok := c.(*Conn); ok {
			_, err := nc.Writev([][]byte{[]byte("c"), []byte("d")})
			must(t, err)
			read(peer, 100, "cd")
			if err := nc.SetCoalescing(4096); !errors.Is(err, errBoundaries) {
				t.Errorf("SetCoalescing: %v", err)
			}
			must(t, nc.SetCoalescing(0))
		}
		// Copying makes a message of each Read.
		up, down := s.unixPair(t, "unixpacket")
		copied := make(chan error, 1)
		go func() {
			_, err := io.Copy(up, c)
			copied <- err
		}()
		for _, m := range []string{"first", "second"} {
			_, err := peer.Write([]byte(m))
			must(t, err)
			read(down, 100, m)
		}
		name := filepath.Join(t.TempDir(), "file")
		must(t, os.WriteFile(name, make([]byte, 50_000), 0o600))
		f, err := os.Open(name)
		must(t, err)
		defer f.Close()
		_, err = io.Copy(up, f)
		must(t, err)
		read(down, 60_000, string(make([]byte, 32<<10)))
		read(down, 60_000, string(make([]byte, 50_000-32<<10)))
		if _, err := peer.Write(make([]byte, 10<<20)); !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("a message of 10 MiB: %v", err)
		}
		must(t, peer.Close())
		must(t, <-copied)
		if _, err := c.Write(make([]byte, 10<<20)); !errors.Is(err, unix.EMSGSIZE) && !errors.Is(err, unix.EPIPE) {
			t.Errorf("a message of 10 MiB: %v", err)
		}
	})
}

// Dialled and wrapped unixpacket connections are netring's, too.
func TestUnixpacketMade(t *testing.T) {
	for _, engine := range engines(t) {
		p := newPoller(t, Config{Engine: engine, Coalesce: 4096})
		std, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unixpacket"})
		must(t, err)
		lc := ListenConfig{Poller: p}
		ln, err := lc.Wrap(std)
		must(t, err)
		defer closeQuietly(t, ln)
		d := Dialer{Poller: p}
		dialled, err := d.Dial("unixpacket", ln.Addr().String())
		must(t, err)
		defer closeQuietly(t, dialled)
		accepted, err := ln.Accept()
		must(t, err)
		defer closeQuietly(t, accepted)
		wrapped, err := d.WrapConn(dialStd(t, ln.Addr()))
		must(t, err)
		defer closeQuietly(t, wrapped)
		for _, c := range []net.Conn{dialled, accepted, wrapped} {
			if nc := c.(*Conn); nc.net != "unixpacket" || nc.fd.Coalescing() != 0 {
				t.Errorf("%v: network %q, write buffer of %d bytes", engine, nc.net, nc.fd.Coalescing())
			}
		}
		for range 2 {
			_, err = dialled.Write([]byte("hello"))
			must(t, err)
		}
		b := make([]byte, 100)
		if n, err := accepted.Read(b); !bytes.Equal(b[:n], []byte("hello")) || err != nil {
			t.Errorf("%v: %q, %v", engine, b[:n], err)
		}
	}
}

// The portable connection passes messages on to package net's.
func TestPortableUnixMessages(t *testing.T) {
	want := ""
	for _, portable := range []bool{false, true} {
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
		must(t, err)
		peer := dialStd(t, ln.Addr()).(*net.UnixConn)
		std, err := ln.AcceptUnix()
		must(t, err)
		must(t, ln.Close())
		var c messenger = std
		if portable {
			own := new(portableConn)
			must(t, own.init(newPortable(t, Config{}).portablePoller, "unix", std))
			c = own
		}
		got := messages(t, "unix", c, peer, filepath.Dir(ln.Addr().String()))
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	p := newPortable(t, Config{})
	server, _ := p.pair(t, "tcp")
	refusesMessages(t, server, new(portableConn))
}

// The error for a network that only package net serves lists netring's networks. A
// network that nobody knows has package net's error.
func TestUnknownNetwork(t *testing.T) {
	p := newPoller(t, Config{Engine: engines(t)[0]})
	for network, want := range map[string]string{
		"bogus":    "listen bogus: unknown network bogus",
		"unixgram": `listen unixgram: netring: network "unixgram" is not served; use one of ["tcp" "tcp4" "tcp6" "unix" "unixpacket"], or package net`,
	} {
		lc := ListenConfig{Poller: p}
		_, err := lc.Listen(context.Background(), network, "x")
		var unknown net.UnknownNetworkError
		if err == nil || err.Error() != want || !errors.As(err, &unknown) || string(unknown) != network {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
