package engine

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RawSockaddr has room for any address accept4(2) may store.
type RawSockaddr struct {
	len uint32
	any unix.RawSockaddrAny
}

// SockAddr is a socket's address, as a value.
type SockAddr struct {
	Family int            // unix.AF_INET, AF_INET6 or AF_UNIX; AF_UNSPEC for none
	IP     netip.AddrPort // of AF_INET and AF_INET6, without a zone
	Scope  uint32         // of AF_INET6: the interface's index, 0 for none
	Name   string         // of AF_UNIX; abstract names begin with "@"
}

// Decode reads the address that the kernel stored.
func (sa *RawSockaddr) Decode() SockAddr {
	if sa.len < 2 {
		return SockAddr{}
	}
	switch sa.any.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(&sa.any))
		return SockAddr{Family: unix.AF_INET, IP: netip.AddrPortFrom(netip.AddrFrom4(in.Addr), networkOrder(in.Port))}
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(&sa.any))
		return SockAddr{Family: unix.AF_INET6, Scope: in.Scope_id,
			IP: netip.AddrPortFrom(netip.AddrFrom16(in.Addr), networkOrder(in.Port))}
	case unix.AF_UNIX:
		un := (*unix.RawSockaddrUnix)(unsafe.Pointer(&sa.any))
		path := unsafe.Slice((*byte)(unsafe.Pointer(&un.Path[0])), len(un.Path))
		path = path[:min(max(int(sa.len)-int(unsafe.Offsetof(un.Path)), 0), len(path))]
		// As in package syscall: abstract names begin with "@" and end at the first
		// zero byte, and an unnamed socket has the empty abstract name.
		switch {
		case len(path) == 0:
			path = []byte{'@'}
		case path[0] == 0:
			path = append([]byte{'@'}, path[1:]...)
		}
		if i := bytes.IndexByte(path, 0); i >= 0 {
			path = path[:i]
		}
		return SockAddr{Family: unix.AF_UNIX, Name: string(path)}
	}
	return SockAddr{Family: int(sa.any.Addr.Family)}
}

// networkOrder reads a port that is stored most significant byte first.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// LocalAddr returns the address sysfd is bound to, see getsockname(2). Its error
// is a syscall.Errno.
func LocalAddr(sysfd int) (SockAddr, error) {
	sa := RawSockaddr{len: uint32(unsafe.Sizeof(unix.RawSockaddrAny{}))}
	_, errno := rawCall(unix.SYS_GETSOCKNAME, uintptr(sysfd), uintptr(unsafe.Pointer(&sa.any)), uintptr(unsafe.Pointer(&sa.len)), 0, 0, 0)
	if errno != 0 {
		return SockAddr{}, errno
	}
	return sa.Decode(), nil
}
