// Package app stands for the user's own code, in which net.Listen becomes
// netring.Listen.
package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"

	"example.com/dep"
)

func listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		return nil, err
	}
	return tracked{ln.(*net.TCPListener)}, nil // want fails "panics, once net.Listen \(app.go:\d+\) is netring's" write "net.Listener in place of \*net.TCPListener; set keep-alive in netring.ListenConfig"
}

type tracked struct {
	*net.TCPListener // want works "takes only"
}

func dial(ctx context.Context, d *net.Dialer) error {
	conn, err := d.DialContext(ctx, "unix", "")
	if err != nil {
		return err
	}
	return conn.(*net.UnixConn).CloseWrite() // want fails "panics, once net.Dialer.DialContext"
}

func accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		conn.(*net.TCPConn).SetLinger(0) // want fails "panics$" write "SetLinger\(int\) error"
	}
}

// What has no counterpart in netring stays net's, and so does the other side.
func stays() {
	a, _ := net.FilePacketConn(os.Stdin)
	var c io.Closer = a
	_, _ = c.(*net.UnixConn) // want works "comes from net.FilePacketConn"
	var l io.Closer
	l, _ = net.Listen("unix", "")
	_, _ = l.(*net.UnixConn) // want works "comes from net.Listen "
	p, _ := net.Pipe()
	_, _ = p.(*net.TCPConn) // want works "comes from net.Pipe"
}

func accepted() {
	ln, _ := net.Listen("tcp", ":0")
	conn, _ := ln.Accept()
	conn.(*net.TCPConn).SetNoDelay(true) // want fails "panics, once net.Listen"
}

// wrapped listens for others: its connections are those of the listener inside.
type wrapped struct{ net.Listener }

func (w wrapped) Accept() (net.Conn, error) { return w.Listener.Accept() }

type promoted struct{ net.Listener }

type fixed struct{ net.Listener }

func (fixed) Accept() (net.Conn, error) { return net.Dial("udp", "") }

// The entry point is Traefik's.
type entryPoint struct {
	ln, wrapped, promoted, fixed net.Listener
}

func newEntryPoint(given net.Listener) *entryPoint {
	return &entryPoint{tracked{}, wrapped{given}, promoted{given}, fixed{}}
}

func (e *entryPoint) accept() {
	a, _ := e.ln.Accept()
	_, _ = writeCloser(a)
	b, _ := e.wrapped.Accept()
	b.(*net.TCPConn).CloseWrite() // want fails "panics$"
	c, _ := e.promoted.Accept()
	c.(*net.TCPConn).CloseWrite() // want fails "panics$"
	d, _ := e.fixed.Accept()
	d.(*net.TCPConn).CloseWrite() // want fails "panics, once net.Dial"
	f, _ := promoted{e.ln}.Accept()
	f.(*net.TCPConn).CloseWrite() // want fails "panics$"
	g, _ := tracked{}.AcceptTCP()
	var h net.Conn = g
	h.(*net.TCPConn).CloseWrite() // want fails "panics, once the listener in tracked"
}

func writeCloser(c net.Conn) (io.WriteCloser, error) {
	switch c := c.(type) {
	case *net.TCPConn: // want fails "returns an error: fmt.Errorf.*, once the listener in tracked \(app.go:\d+\) is netring's"
		return c, nil
	default:
		return nil, fmt.Errorf("unknown connection type %T", c)
	}
}

func inherited() error {
	ln, err := net.FileListener(os.Stdin) // want works "makes a socket of package net" write "^netring.FileListener$"
	if err != nil {
		return err
	}
	unix, ok := ln.(*net.UnixListener) // want silent "skips what it does for this type, once net.FileListener" write "SetUnlinkOnClose\(bool\)"
	if ok {
		unix.SetUnlinkOnClose(false)
	}
	_, err = net.ListenTCP("tcp", nil) // want works "makes a socket" write "^netring.ListenTCP$"
	return err
}

func configured() {
	dep.Listen(&net.ListenConfig{}) // want works "dep.Listen takes only a net.ListenConfig" write "netring.Wrap what dep.Listen makes"
	private(&net.ListenConfig{})
	http.ListenAndServe(":0", nil) // want works "makes a socket" write "http.Serve\(ln, handler\)"
}

func private(*net.ListenConfig) {}

func writev(c net.Conn, w io.Writer, t *net.TCPConn) { // want works "takes only \*net.TCPConn"
	var bufs net.Buffers
	bufs.WriteTo(c)     // want silent "makes one write for each buffer" write "Writev, if c has it"
	bufs.WriteTo(w)     // want silent "makes one write for each buffer"
	bufs.WriteTo(t)     // want works "the connection is net's"
	bufs.WriteTo(other) // no connection of net's
	d, _ := net.FilePacketConn(os.Stdin)
	bufs.WriteTo(d.(io.Writer)) // want works "comes from net.FilePacketConn"
}

var other *os.File

type renamed net.TCPConn

type listeners struct {
	all  []*net.TCPListener // want works "takes only \*net.TCPListener"
	conn chan *renamed
	udp  *net.UDPConn
}

func converted(c *renamed) {
	_ = (*net.TCPConn)(c)                       // want works "has the memory of \*net.TCPConn"
	_ = net.Conn((*net.TCPConn)(nil))           // an interface takes anything
	_ = reflect.TypeOf((*net.TCPConn)(nil))     // want silent "reflected type"
	_ = reflect.ValueOf((*net.TCPConn)(nil))    // a symbol, most often
	_ = (*net.TCPListener).File                 // want works "is a function of" write "\(\*netring.Listener\).File, or"
	_ = (*net.TCPListener).AcceptTCP            // want works "is a function of" write "^.\*netring.Listener.\.AcceptTCP, or"
	_ = func(conns ...*net.UnixConn) {}         // want works "takes only \*net.UnixConn"
	var _ interface{ Take(l *net.TCPListener) } // want works "takes only"
}

func use() {
	_, _, _, _, _, _ = listen, dial, accept, stays, accepted, inherited
	_, _ = newEntryPoint, (*entryPoint).accept
	_, _, _, _ = configured, writev, converted, listeners{}
}
