package netring

import (
	"context"
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A callback that panics or ends its goroutine leaves nothing locked or open.
func TestRow21CallbacksPanic(t *testing.T) {
	end := map[string]func(){"panic": func() { panic("on purpose") }, "Goexit": runtime.Goexit}
	// survive runs f in another goroutine, until f returns, panics or ends the goroutine.
	survive := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { _ = recover() }()
			f()
		}()
		<-done
	}
	stacks(t, func(t *testing.T, s *stack) {
		for name, end := range end {
			t.Run(name, func(t *testing.T) {
				ln := s.listen(t)
				client, err := net.Dial("tcp", ln.Addr().String())
				must(t, err)
				defer client.Close()
				server, err := ln.Accept()
				must(t, err)
				for _, c := range []any{server, ln} {
					rc, err := c.(syscall.Conn).SyscallConn()
					must(t, err)
					within(t, "the callbacks", func() {
						survive(func() { _ = rc.Control(func(uintptr) { end() }) })
						if c == any(server) {
							survive(func() { _ = rc.Read(func(uintptr) bool { end(); return true }) })
							survive(func() { _ = rc.Write(func(uintptr) bool { end(); return true }) })
						}
					})
				}
				within(t, "what comes afterwards", func() {
					if _, err := server.Write([]byte("x")); err != nil {
						t.Error(err)
					}
					if _, err := client.Write([]byte("x")); err != nil {
						t.Error(err)
					}
					if _, err := server.Read(make([]byte, 1000)); err != nil {
						t.Error(err)
					}
					must(t, errors.Join(server.Close(), ln.Close()))
				})
			})
		}
	})
	for name, end := range end {
		t.Run("default Poller/"+name, func(t *testing.T) {
			engines(t)
			control := func(_, _ string, c syscall.RawConn) error {
				// Package net leaks the socket.
				must(t, c.Control(func(sysfd uintptr) { t.Cleanup(func() { must(t, unix.Close(int(sysfd))) }) }))
				end()
				return nil
			}
			survive(func() {
				lc := ListenConfig{Control: control}
				_, _ = lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			})
			awaitNoDefaultPoller(t)
			// A Dialer that races addresses runs Control in another goroutine, like package net.
			survive(func() {
				d := Dialer{Control: control}
				_, _ = d.Dial("tcp4", "127.0.0.1:1")
			})
			awaitNoDefaultPoller(t)
		})
	}
}
