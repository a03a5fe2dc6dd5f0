package netring

import (
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/reactor/engine"
)

// netAddr converts a socket's address to the net.Addr that package net returns.
func netAddr(a engine.SockAddr) net.Addr {
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

// zoneName returns the name of an IPv6 scope: the interface's name, or the scope's
// number if the interface does not exist.
func zoneName(scope uint32) string {
	if scope == 0 {
		return ""
	}
	if ifi, err := net.InterfaceByIndex(int(scope)); err == nil {
		return ifi.Name
	}
	return strconv.FormatUint(uint64(scope), 10)
}

// localAddr returns a socket's own address. It wraps getsockname(2).
func localAddr(sysfd int) (net.Addr, error) {
	a, err := engine.LocalAddr(sysfd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	return netAddr(a), nil
}
