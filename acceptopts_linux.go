package netring

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// socketOptions are the options of a listener's connections. Linux copies the options
// from the listening socket to accepted sockets, so setting them once is enough.
type socketOptions struct {
	protocol int // the listener's SO_PROTOCOL; 0 for a unix socket
	opts     []sockopt
}

// listenerOptions returns the options for connections accepted from sysfd.
func listenerOptions(sysfd int, lc *ListenConfig) (socketOptions, error) {
	domain, err := unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return socketOptions{}, os.NewSyscallError("getsockopt", err)
	}
	if domain == unix.AF_UNIX {
		return socketOptions{}, nil
	}
	protocol, err := unix.GetsockoptInt(sysfd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return socketOptions{}, os.NewSyscallError("getsockopt", err)
	}
	ka := lc.KeepAliveConfig
	if !ka.Enable && lc.KeepAlive >= 0 {
		ka = net.KeepAliveConfig{Enable: true, Idle: lc.KeepAlive}
	}
	opts := []sockopt{{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}}
	if ka.Enable {
		opts = append(opts, keepAliveOptions(ka)...)
	}
	return socketOptions{protocol, opts}, nil
}

// apply sets the options and reports whether it set all of them. Like package net,
// netring serves a connection even if setting an option fails.
func (s socketOptions) apply(sysfd int) bool {
	all := true
	for _, o := range s.opts {
		all = unix.SetsockoptInt(sysfd, o.level, o.name, o.value) == nil && all
	}
	return all
}

// applied reports whether the socket has all the options.
func (s socketOptions) applied(sysfd int) bool {
	for _, o := range s.opts {
		if v, err := unix.GetsockoptInt(sysfd, o.level, o.name); err != nil || v != o.value {
			return false
		}
	}
	return true
}
