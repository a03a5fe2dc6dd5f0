package netring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"syscall"
	"testing"
)

func TestRow14UnixListener(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "s"), fmt.Sprintf("@netring-test-%d", os.Getpid())} {
		t.Run(name[:1], func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				ln := s.listenOn(t, "unix", name)
				if want := (&net.UnixAddr{Name: name, Net: "unix"}); !reflect.DeepEqual(ln.Addr(), want) {
					t.Errorf("Addr is %#v", ln.Addr())
				}
				client, err := net.Dial("unix", name)
				must(t, err)
				defer client.Close()
				server, err := ln.Accept()
				must(t, err)
				defer server.Close()
				if a := server.LocalAddr(); !reflect.DeepEqual(a, ln.Addr()) {
					t.Errorf("LocalAddr is %#v", a)
				}
				if a := server.RemoteAddr(); !reflect.DeepEqual(a, &net.UnixAddr{Name: "@", Net: "unix"}) {
					t.Errorf("RemoteAddr is %#v", a)
				}
				// Many small messages arrive, in one read or in several.
				var wg sync.WaitGroup
				wg.Go(func() {
					for range 300 {
						if _, err := client.Write([]byte("0123456789")); err != nil {
							t.Error(err)
						}
					}
					client.(*net.UnixConn).CloseWrite()
				})
				total, buf := 0, make([]byte, 700)
				within(t, "reading", func() {
					for {
						n, err := server.Read(buf[:1+total%len(buf)])
						total += n
						if err != nil {
							break
						}
					}
				})
				wg.Wait()
				if total != 3000 {
					t.Errorf("read %d bytes of 3000", total)
				}
				must(t, ln.Close())
				if _, err := os.Lstat(name); name[0] != '@' && !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the socket file is still there: %v", err)
				}
				// Close must not remove the file of a later listener.
				again := s.listenOn(t, "unix", name)
				if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the second Close: %v", err)
				}
				client2, err := net.Dial("unix", name)
				must(t, err)
				must(t, client2.Close())
				must(t, again.Close())
			})
		})
	}
}

// The file of a unix socket appears and disappears as with package net, also with
// duplicates of the socket. tableflip hands a duplicate to the next process.
func TestRow14SocketFile(t *testing.T) {
	type unlinker interface {
		SetUnlinkOnClose(bool)
		File() (*os.File, error)
	}
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, l unlinker)
		stays   bool
	}{
		"plain": {func(*testing.T, unlinker) {}, false},
		"kept":  {func(_ *testing.T, l unlinker) { l.SetUnlinkOnClose(false) }, true},
		"kept, then not": {func(_ *testing.T, l unlinker) {
			l.SetUnlinkOnClose(false)
			l.SetUnlinkOnClose(true)
		}, false},
		"duplicated": {func(t *testing.T, l unlinker) { duplicateFor(t, l.File) }, false},
		"kept and duplicated": {func(t *testing.T, l unlinker) {
			l.SetUnlinkOnClose(false)
			duplicateFor(t, l.File)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			stacks(t, func(t *testing.T, s *stack) {
				path := filepath.Join(t.TempDir(), "s")
				ln := s.listenOn(t, "unix", path)
				tc.prepare(t, ln.(unlinker))
				must(t, ln.Close())
				_, err := os.Stat(path)
				if stays := err == nil; stays != tc.stays {
					t.Errorf("the file is there: %v, want %v", stays, tc.stays)
				}
				again, err := s.tryListen("unix", path)
				if inUse := errors.Is(err, syscall.EADDRINUSE); inUse != tc.stays {
					t.Errorf("listening there again: %v", err)
				}
				if err == nil {
					must(t, again.Close())
				}
			})
		})
	}
}

// duplicateFor duplicates a descriptor until the end of the test.
func duplicateFor(t *testing.T, file func() (*os.File, error)) {
	t.Helper()
	f, err := file()
	must(t, err)
	t.Cleanup(func() { f.Close() })
}

func TestRow14UnixDial(t *testing.T) {
	for _, name := range []string{t.TempDir() + "/s", fmt.Sprintf("@netring-dial-%d", os.Getpid())} {
		stacks(t, func(t *testing.T, s *stack) {
			ln := s.listenOn(t, "unix", name)
			c, err := s.dialWith(net.Dialer{})(context.Background(), "unix", name)
			must(t, err)
			defer c.Close()
			server, err := ln.Accept()
			must(t, err)
			defer server.Close()
			_, err = c.Write([]byte("hello"))
			must(t, err)
			buf := make([]byte, 10)
			if n, err := server.Read(buf); string(buf[:n]) != "hello" || err != nil {
				t.Errorf("read %q, %v", buf[:n], err)
			}
			if c.RemoteAddr().String() != name || c.LocalAddr().Network() != "unix" {
				t.Errorf("addresses %v, %v", c.LocalAddr(), c.RemoteAddr())
			}
		})
	}
	// SetUnlinkOnClose(false) keeps the file.
	rings(t, func(t *testing.T, s *stack) {
		name := t.TempDir() + "/kept"
		ln := s.listenOn(t, "unix", name)
		ln.(*Listener).SetUnlinkOnClose(false)
		must(t, ln.Close())
		if _, err := os.Lstat(name); err != nil {
			t.Errorf("the file is gone: %v", err)
		}
	})
}
