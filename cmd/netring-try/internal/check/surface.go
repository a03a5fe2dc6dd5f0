package check

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
)

// surface declares the exported methods of netring's types, which decide whether a
// netring value fits an interface. A test compares it with the package.
const surface = `package netring

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

type Lease struct{}

type ListenerStats struct{}

type Conn struct{}

func (*Conn) Buffered() int
func (*Conn) Close() error
func (*Conn) CloseRead() error
func (*Conn) CloseWrite() error
func (*Conn) Detach() (*net.TCPConn, error)
func (*Conn) File() (*os.File, error)
func (*Conn) Flush() error
func (*Conn) LocalAddr() net.Addr
func (*Conn) MultipathTCP() (bool, error)
func (*Conn) Read([]byte) (int, error)
func (*Conn) ReadFrom(io.Reader) (int64, error)
func (*Conn) ReadFromUnix([]byte) (int, *net.UnixAddr, error)
func (*Conn) ReadLease() (Lease, error)
func (*Conn) ReadMsgUnix([]byte, []byte) (int, int, int, *net.UnixAddr, error)
func (*Conn) RemoteAddr() net.Addr
func (*Conn) SetCoalescing(int) error
func (*Conn) SetDeadline(time.Time) error
func (*Conn) SetKeepAlive(bool) error
func (*Conn) SetKeepAliveConfig(net.KeepAliveConfig) error
func (*Conn) SetKeepAlivePeriod(time.Duration) error
func (*Conn) SetLinger(int) error
func (*Conn) SetNoDelay(bool) error
func (*Conn) SetReadBuffer(int) error
func (*Conn) SetReadDeadline(time.Time) error
func (*Conn) SetWriteBuffer(int) error
func (*Conn) SetWriteDeadline(time.Time) error
func (*Conn) SyscallConn() (syscall.RawConn, error)
func (*Conn) Unread() int
func (*Conn) Write([]byte) (int, error)
func (*Conn) WriteMsgUnix([]byte, []byte, *net.UnixAddr) (int, int, error)
func (*Conn) WriteTo(io.Writer) (int64, error)
func (*Conn) WriteToUnix([]byte, *net.UnixAddr) (int, error)
func (*Conn) Writev([][]byte) (int64, error)

type Listener struct{}

func (*Listener) Accept() (net.Conn, error)
func (*Listener) AcceptConn() (*Conn, error)
func (*Listener) AcceptTCP() (*Conn, error)
func (*Listener) AcceptUnix() (*Conn, error)
func (*Listener) Addr() net.Addr
func (*Listener) Close() error
func (*Listener) File() (*os.File, error)
func (*Listener) SetDeadline(time.Time) error
func (*Listener) SetUnlinkOnClose(bool)
func (*Listener) Stats() ListenerStats
func (*Listener) SyscallConn() (syscall.RawConn, error)
`

// A side says which of netring's types a value of net's type corresponds to.
type side uint8

const (
	connSide side = 1 << iota
	listenerSide
)

// netTypes are the types that the rules compare with.
type netTypes struct {
	net      *types.Package
	conn     types.Type // *netring.Conn
	listener types.Type // *netring.Listener
	err      *types.Interface
}

func newNetTypes(fset *token.FileSet, net *types.Package, checked map[string]*types.Package) (*netTypes, error) {
	file, err := parser.ParseFile(fset, "surface.go", surface, 0)
	if err != nil {
		return nil, err
	}
	conf := types.Config{Importer: byPath(checked), IgnoreFuncBodies: true}
	pkg, err := conf.Check(netringPath, fset, []*ast.File{file}, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot declare netring's types: %w", err)
	}
	pointer := func(name string) types.Type { return types.NewPointer(pkg.Scope().Lookup(name).Type()) }
	return &netTypes{
		net:      net,
		conn:     pointer("Conn"),
		listener: pointer("Listener"),
		err:      types.Universe.Lookup("error").Type().Underlying().(*types.Interface),
	}, nil
}

// byPath imports packages that are in the graph under their own path.
type byPath map[string]*types.Package

func (m byPath) Import(path string) (*types.Package, error) {
	if t := m[path]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("package %s is not in the import graph", path)
}

// named returns the package path and name of t or of what t points to.
func named(t types.Type) (path, name string) {
	if ptr, ok := types.Unalias(t).(*types.Pointer); ok {
		t = ptr.Elem()
	}
	n, ok := types.Unalias(t).(*types.Named)
	if !ok || n.Obj().Pkg() == nil {
		return "", ""
	}
	return n.Obj().Pkg().Path(), n.Obj().Name()
}

// concrete returns the name and side of t if t is a pointer to one of net's stream
// types.
func concrete(t types.Type) (name string, s side) {
	if _, ok := types.Unalias(t).(*types.Pointer); !ok {
		return "", 0
	}
	path, name := named(t)
	if path != "net" {
		return "", 0
	}
	switch name {
	case "TCPConn", "UnixConn":
		return "*net." + name, connSide
	case "TCPListener", "UnixListener":
		return "*net." + name, listenerSide
	}
	return "", 0
}

// configures returns the name of t if t is what package net makes sockets from.
func configures(t types.Type) string {
	path, name := named(t)
	if path == "net" && (name == "ListenConfig" || name == "Dialer") {
		return name
	}
	return ""
}

// holds reports whether a variable of type t can hold netring's type.
func (n *netTypes) holds(t types.Type, s side) bool {
	i, ok := t.Underlying().(*types.Interface)
	if !ok {
		return false
	}
	return s&connSide != 0 && types.Implements(n.conn, i) ||
		s&listenerSide != 0 && types.Implements(n.listener, i)
}

// method returns netring's method of that name, or nil.
func (n *netTypes) method(s side, name string) *types.Func {
	t := n.conn
	if s == listenerSide {
		t = n.listener
	}
	obj, _, _ := types.LookupFieldOrMethod(t, true, nil, name)
	f, _ := obj.(*types.Func)
	return f
}
