// Package sockettest makes plain sockets for tests.
package sockettest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Pair returns a connected non-blocking socket and its blocking peer. The caller must
// close the socket. The end of the test closes the peer.
func Pair(t testing.TB) (a, b int) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l := Listener(t)
	defer func() { must(unix.Close(l)) }()
	sa, err := unix.Getsockname(l)
	must(err)
	b, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	var once sync.Once
	closePeer := func() { once.Do(func() { must(unix.Close(b)) }) }
	t.Cleanup(closePeer)
	must(unix.Connect(b, sa))
	for {
		a, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if err != unix.EAGAIN {
			break
		}
		time.Sleep(time.Millisecond) // the listener is non-blocking; the connection arrives soon
	}
	must(err)
	// A call that hangs would make the test hang. With a timeout it fails instead.
	must(unix.SetsockoptTimeval(b, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20}))
	must(unix.SetsockoptTimeval(b, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 20}))
	return a, b
}

// Read is read(2) on a blocking socket. Because the peer of Pair has a timeout, a signal
// of the Go runtime interrupts the call, see signal(7). Read then repeats the call.
func Read(fd int, p []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, p); err != unix.EINTR {
			return n, err
		}
	}
}

// Write writes all of p with write(2) on a blocking socket. Like Read, it repeats an
// interrupted call.
func Write(fd int, p []byte) (n int, err error) {
	for n < len(p) {
		k, err := unix.Write(fd, p[n:])
		if err != nil && err != unix.EINTR {
			return n, err
		}
		n += max(k, 0)
	}
	return n, nil
}

// Listener returns a non-blocking socket that listens on loopback. The caller must
// close the socket.
func Listener(t testing.TB) int {
	t.Helper()
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 128)); err != nil {
		t.Fatal(err)
	}
	return l
}
