// Package dep stands for a dependency: the user cannot edit it, so what it makes with
// package net stays package net's.
package dep

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
)

// keepAlive is echo's and Traefik's listener.
type keepAlive struct {
	*net.TCPListener // want works "takes only \*net.TCPListener"
}

func (l keepAlive) Accept() (conn net.Conn, err error) {
	if conn, err = l.AcceptTCP(); err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetKeepAlive(true) // want works "comes from the listener in keepAlive"
}

// Start listens for itself.
func Start(addr string) (net.Listener, error) {
	ln, err := listen(addr)
	if err != nil {
		return nil, err
	}
	return keepAlive{ln.(*net.TCPListener)}, nil // want works "comes from net.Listen \(made.go:\d+\), which stays net's"
}

func listen(addr string) (ln net.Listener, err error) {
	ln, err = net.Listen("tcp", addr)
	return
}

// Serve gets its listener from the user.
func Serve(ln net.Listener) error {
	defer ln.Close()
	return serve(keepAlive{ln.(*net.TCPListener)}) // want fails "^panics$" write "net.Listener in place"
}

func serve(net.Listener) error { return nil }

// A server keeps a listener that only this package sets.
type server struct {
	ln    net.Listener
	given net.Listener
	Free  net.Listener
	Set   net.Listener
}

func newServer(given net.Listener) (*server, error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", ":0")
	if err != nil {
		return nil, err
	}
	return &server{ln: ln, given: given, Set: ln}, nil
}

func (s *server) accept() {
	a, _ := s.ln.Accept()
	_ = a.(*net.TCPConn).SetNoDelay(true) // want works "comes from net.ListenConfig.Listen"
	b, _ := s.given.Accept()
	_ = b.(*net.TCPConn).SetNoDelay(true) // want fails "^panics$"
	c, _ := s.Free.Accept()
	_ = c.(*net.TCPConn).SetNoDelay(true) // want fails "^panics$"
	d, _ := s.Set.Accept()
	_ = d.(*net.TCPConn).SetNoDelay(true) // want fails "^panics$"
}

// NewServer uses what would else be unused.
func NewServer(ln net.Listener) {
	s, _ := newServer(ln)
	s.accept()
	conn, _ := net.Dial("unix", "")
	halfClose(conn)
	shared(conn)
	go func(c net.Conn) {
		_ = c.(*net.UnixConn).CloseWrite() // want works "comes from net.Dial "
	}(conn)
	f := shared
	f(nil)
}

// halfClose is crypto/ssh/agent's: all callers pass what net made.
func halfClose(conn net.Conn) {
	_ = conn.(*net.UnixConn).CloseWrite() // want works "comes from net.Dial "
}

// shared is also used as a value, so its callers are not known.
func shared(conn net.Conn) {
	_ = conn.(*net.UnixConn).CloseWrite() // want fails "^panics$" write "conn.\(interface\{ CloseWrite\(\) error \}\)"
}

// changed has its variable set through a pointer.
func changed(set func(*net.Conn)) {
	conn, _ := net.Dial("tcp", "")
	set(&conn)
	_ = conn.(*net.TCPConn).CloseRead() // want fails "^panics$"
}

// Changed uses changed.
var Changed = changed

// UserTimeout is grpc-go's: the option is lost.
func UserTimeout(conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn) // want silent "returns without an error" write "conn.\(syscall.Conn\)"
	if !ok {
		return nil
	}
	_, err := tcp.SyscallConn()
	return err
}

// GetUserTimeout is grpc-go's, too.
func GetUserTimeout(conn net.Conn) (opt int, err error) {
	tcp, ok := conn.(*net.TCPConn) // want fails "returns an error: fmt.Errorf"
	if !ok {
		err = fmt.Errorf("%T is no TCP connection", conn)
		return
	}
	_, err = tcp.SyscallConn()
	return 1, err
}

// A Conn is go-proxyproto's.
type Conn struct{ conn net.Conn }

// TCPConn reports false.
func (c *Conn) TCPConn() (conn *net.TCPConn, ok bool) {
	conn, ok = c.conn.(*net.TCPConn) // want silent "returns ok false" write "net.Conn or an interface"
	return
}

// WriteCloser is Traefik's entry point.
func WriteCloser(conn net.Conn) (io.WriteCloser, error) {
	switch typed := conn.(type) {
	case *wrapper:
		return typed, nil
	case *net.TCPConn: // want fails "returns an error: fmt.Errorf\(.unknown connection type"
		return typed, nil
	default:
		return nil, fmt.Errorf("unknown connection type %T", typed)
	}
}

type wrapper struct{ net.Conn }

// Copy is fasthttp's: another case takes netring's type.
func Copy(w io.Writer, r io.Reader) (int64, error) {
	switch w := w.(type) {
	case *net.TCPConn: // want works "case io.ReaderFrom takes netring's type"
		return w.ReadFrom(r)
	case io.ReaderFrom:
		return w.ReadFrom(r)
	}
	return 0, errors.New("no fast path")
}

// Raw is grpc-go's reader.
func Raw(r io.Reader) io.Reader {
	switch r.(type) {
	case *net.TCPConn, *net.UnixConn: // want silent "returns without an error" write "case \*netring.Conn:"
	default:
		return nil
	}
	return r
}

// DialTLS makes sockets with net.
func DialTLS(d *net.Dialer) (net.Conn, error) {
	if d == nil {
		return tls.DialWithDialer(d, "tcp", "", nil) // want works "makes a socket" write "tls.Client\(conn, config\)"
	}
	t := &tls.Dialer{
		NetDialer: d, // want works "tls.NetDialer takes only a net.Dialer"
	}
	return t.Dial("tcp", "") // want works "makes a socket of package net"
}

// Listen takes only package net's configuration.
func Listen(lc *net.ListenConfig) (net.Listener, error) {
	return lc.Listen(context.Background(), "tcp", ":0")
}
