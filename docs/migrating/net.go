package migrating

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/netring-go/netring"
)

func listenAndServe(addr string, handler http.Handler) error {
	ln, err := netring.Listen("tcp", addr) // was: http.ListenAndServe(addr, handler)
	if err != nil {
		return err
	}
	return http.Serve(ln, handler)
}

func newClient() *http.Client {
	d := netring.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = d.DialContext
	return &http.Client{Transport: transport}
}

func setOptions(c net.Conn) error {
	if t, ok := c.(interface{ SetNoDelay(bool) error }); ok { // was: c.(*net.TCPConn)
		return t.SetNoDelay(false)
	}
	return nil
}

func finish(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok { // was: c.(*net.TCPConn)
		return half.CloseWrite()
	}
	return c.Close()
}

func descriptor(c net.Conn, use func(fd uintptr)) error {
	sc, ok := c.(syscall.Conn) // was: c.(*net.TCPConn) or c.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("a %T has no descriptor", c)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(use)
}

func tcpConn(c net.Conn) (*net.TCPConn, error) {
	switch c := c.(type) {
	case *net.TCPConn: // with NETRING_ENGINE=net
		return c, nil
	case *netring.Conn:
		return c.Detach() // c itself is closed then
	}
	return nil, fmt.Errorf("a %T is no TCP connection", c)
}

type tcpServer struct {
	ln *netring.Listener // was: *net.TCPListener
}

func (s *tcpServer) next() (*netring.Conn, error) { // was: (*net.TCPConn, error)
	return s.ln.AcceptTCP() // or AcceptUnix
}

func acceptFor(ln net.Listener, d time.Duration) (net.Conn, error) {
	if l, ok := ln.(interface{ SetDeadline(time.Time) error }); ok { // was: ln.(*net.TCPListener)
		if err := l.SetDeadline(time.Now().Add(d)); err != nil {
			return nil, err
		}
	}
	return ln.Accept()
}

func listenerFile(ln net.Listener) (*os.File, error) {
	l, ok := ln.(interface{ File() (*os.File, error) }) // was: ln.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("a %T has no file", ln)
	}
	return l.File()
}
