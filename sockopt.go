//go:build linux

package netring

import (
	"net"
	"os"
	"strconv"
	"time"

	"github.com/netring-go/netring/reactor"
	"golang.org/x/sys/unix"
)

// Package net's keep-alive defaults: the time before the first probe and
// between probes, and how many may go unanswered.
const (
	defaultKeepAlive      = 15 * time.Second
	defaultKeepAliveCount = 9
)

// sockopt is one setsockopt(2) with an int value.
type sockopt struct{ level, name, value int }

// socketOptions is what a listener's connections get. Linux copies these options
// from the listening socket to the ones it accepts, so that setting them once is
// enough.
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

// keepAliveOptions are the options that package net's SetKeepAliveConfig sets.
// Negative fields leave the option as it is, zero ones mean the default.
func keepAliveOptions(c net.KeepAliveConfig) []sockopt {
	opts := []sockopt{{unix.SOL_SOCKET, unix.SO_KEEPALIVE, boolInt(c.Enable)}}
	opts = append(opts, keepAliveSeconds(unix.TCP_KEEPIDLE, c.Idle)...)
	opts = append(opts, keepAliveSeconds(unix.TCP_KEEPINTVL, c.Interval)...)
	if c.Count == 0 {
		c.Count = defaultKeepAliveCount
	}
	if c.Count > 0 {
		opts = append(opts, sockopt{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, c.Count})
	}
	return opts
}

// keepAliveSeconds sets an option to d in seconds, rounded up. As in package net,
// 0 means the default and a negative value leaves the option as it is.
func keepAliveSeconds(name int, d time.Duration) []sockopt {
	if d == 0 {
		d = defaultKeepAlive
	}
	if d < 0 {
		return nil
	}
	return []sockopt{{unix.IPPROTO_TCP, name, int((d + time.Second - 1) / time.Second)}}
}

// apply sets the options and reports whether all of them could be set. Like
// package net, netring serves a connection even if one could not.
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

// netAddr turns a socket's address into the net.Addr that package net gives.
func netAddr(a reactor.SockAddr) net.Addr {
	switch a.Family {
	case unix.AF_INET:
		return net.TCPAddrFromAddrPort(a.IP)
	case unix.AF_INET6:
		ta := net.TCPAddrFromAddrPort(a.IP)
		ta.Zone = zoneName(a.Scope)
		return ta
	case unix.AF_UNIX:
		return &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	return nil
}

// zoneName is the name of an IPv6 scope: the interface's, or its number if it
// has none.
func zoneName(scope uint32) string {
	if scope == 0 {
		return ""
	}
	if ifi, err := net.InterfaceByIndex(int(scope)); err == nil {
		return ifi.Name
	}
	return strconv.FormatUint(uint64(scope), 10)
}

// localAddr asks the kernel for a socket's own address.
func localAddr(sysfd int) (net.Addr, error) {
	a, err := reactor.LocalAddr(sysfd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	return netAddr(a), nil
}
