// Package sockettest makes plain sockets for tests of what runs on sockets.
package sockettest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Pair returns a connected non-blocking socket, which is the caller's, and
// its blocking peer, which is closed with the test.
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
		time.Sleep(time.Millisecond) // the listener is non-blocking; the connection is there at once
	}
	must(err)
	// A peer that hangs would hang the test; it gets an error instead.
	must(unix.SetsockoptTimeval(b, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20}))
	must(unix.SetsockoptTimeval(b, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 20}))
	return a, b
}

// Read is read(2) of a blocking socket. A Pair's has a timeout, so a signal of the Go
// runtime ends the call early, see signal(7): it is made again then.
func Read(fd int, p []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, p); err != unix.EINTR {
			return n, err
		}
	}
}

// Write writes all of p, as Read reads.
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

// Listener returns a non-blocking socket that listens on loopback.
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
