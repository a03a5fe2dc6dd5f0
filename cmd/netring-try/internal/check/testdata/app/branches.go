package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"syscall"
	"time"
)

var errType = errors.New("unknown type")

func errorBranch(c net.Conn) error {
	if tc, ok := c.(*net.TCPConn); !ok { // want fails "returns an error: errType"
		return errType
	} else {
		return tc.CloseWrite()
	}
}

func errorInElse(c net.Conn) error {
	if tc, ok := c.(*net.TCPConn); ok { // want fails "returns an error: &net.OpError" write "c.\(interface\{ CloseWrite\(\) error \}\)"
		return tc.CloseWrite()
	} else {
		return &net.OpError{Op: "close", Err: errType}
	}
}

func errorAfter(c net.Conn) error {
	if tc, ok := c.(*net.TCPConn); ok { // want fails "returns an error: fmt.Errorf"
		return tc.CloseWrite()
	}
	if uc, ok := c.(*net.UnixConn); ok { // want fails "returns an error: fmt.Errorf"
		return uc.CloseWrite()
	}
	return fmt.Errorf("%T", c)
}

func errnoAfter(c net.Conn) error {
	tc, ok := c.(*net.TCPConn) // want fails "returns an error: syscall.EINVAL"
	if ok {
		return tc.CloseWrite()
	}
	return syscall.EINVAL
}

func errorIfStrict(c net.Conn, strict bool) error {
	tc, ok := c.(*net.TCPConn) // want fails "returns an error: errType"
	if !ok && strict {
		return errType
	}
	return tc.CloseWrite()
}

func errorUnlessBoth(c net.Conn, ready bool) error {
	tc, ok := c.(*net.TCPConn) // want fails "returns an error: errType"
	if !ok || !ready {
		return errType
	}
	return tc.CloseWrite()
}

func errorUnlessReady(c net.Conn, ready bool) error {
	tc, ok := c.(*net.TCPConn) // want fails "returns an error: errType"
	if ok && ready {
		return tc.CloseWrite()
	}
	return errType
}

func orTested(c net.Conn, force bool) error {
	if _, ok := c.(*net.TCPConn); ok || force { // want silent "returns without an error"
		return nil
	}
	return errType
}

func panicBranch(c net.Conn) {
	tc, ok := c.(*net.TCPConn) // want fails "panics: panic\("
	_ = time.Now()
	if !ok {
		panic(fmt.Sprintf("%T", c))
	}
	tc.SetNoDelay(true)
}

func fatalBranch(c net.Conn) {
	var tc, ok = c.(*net.TCPConn) // want fails "ends the program: log.Fatal"
	if !ok {
		log.Fatal("no TCP")
	}
	tc.SetNoDelay(true)
}

type logger struct{}

func (logger) Error(...any) {}

func loggedBranch(l logger, c net.Conn) {
	if tc, ok := c.(*net.TCPConn); ok { // want fails "logs an error: l.Error"
		tc.SetNoDelay(true)
	} else {
		l.Error("no TCP")
	}
}

func closedBranch(conns chan net.Conn) {
	for c := range conns {
		tc, ok := c.(*net.TCPConn) // want fails "closes it"
		if !ok {
			c.Close()
			continue
		}
		tc.SetNoDelay(true)
	}
}

func halfClosed(c net.Conn) {
	if tc, ok := c.(*net.TCPConn); ok { // want silent "closes both directions"
		tc.CloseWrite()
	} else {
		c.Close()
	}
}

func setBranch(c net.Conn) error {
	var err error
	if tc, ok := c.(*net.TCPConn); ok { // want fails "sets an error: errType"
		err = tc.CloseWrite()
	} else {
		err = errType
	}
	return err
}

func skipped(c net.Conn) {
	if tc, ok := c.(*net.TCPConn); ok { // want silent "skips what it does for this type" write "c.\(interface\{ SetKeepAlive\(bool\) error; SetKeepAlivePeriod\(time.Duration\) error \}\)"
		tc.SetKeepAlive(true)
		tc.SetKeepAlivePeriod(time.Minute)
	}
}

func skippedIfWanted(c net.Conn, want bool) net.Conn {
	if tc, ok := c.(*net.TCPConn); ok && want { // want silent "returns c" write "net.Conn or an interface in place of \*net.TCPConn; or what"
		return embedded{tc}
	}
	return c
}

type embedded struct {
	*net.TCPConn // want works "takes only \*net.TCPConn"
}

// The errors of later code, and errors that may be nil, say nothing about the type.
func laterErrors(c net.Conn) (n int, err error) {
	if tc, ok := c.(*net.TCPConn); ok { // want silent "skips"
		err = tc.SetNoDelay(true)
	}
	if n == 1 {
		return 0, errType
	}
	return 0, err
}

func slowPath(c net.Conn) error {
	if tc, ok := c.(*net.TCPConn); ok { // want silent "returns slow\(c\)" write "in place of \*net.TCPConn"
		return fast(tc)
	}
	return slow(c)
}

func fast(c *net.TCPConn) error { // want works "takes only"
	return c.CloseRead()
}

func slow(net.Conn) error { return nil }

// The name says error, but the type does not.
func noError(c net.Conn) io.Writer {
	if tc, ok := c.(*net.TCPConn); ok { // want silent "returns terror\(c\)"
		return tc
	}
	return terror(c)
}

func terror(c net.Conn) io.Writer { return c }

func reported(c net.Conn) bool {
	_, ok := c.(*net.TCPConn) // want silent "returns ok false"
	return ok
}

func returnsFalse(c net.Conn) bool {
	if _, ok := c.(*net.TCPConn); ok { // want silent "returns false"
		return true
	}
	return false
}

func used(c net.Conn) {
	_, ok := c.(*net.TCPConn) // want silent "goes on with ok false"
	fmt.Println(ok)
}

func unused(c net.Conn) {
	_, _ = c.(*net.TCPConn) // want silent "goes on without it"
}

func nilMethods(c net.Conn) {
	tc, _ := c.(*net.TCPConn) // want silent "ignores their EINVAL"
	tc.SetNoDelay(true)
	_ = tc.SetKeepAlive(true)
}

func nilUsed(c net.Conn) error {
	tc, _ := c.(*net.TCPConn) // want fails "uses a nil pointer"
	return tc.CloseWrite()
}

func nilTested(c net.Conn) error {
	tc, _ := c.(*net.TCPConn) // want fails "returns an error: errType"
	if tc == nil {
		return errType
	}
	return tc.CloseWrite()
}

// Something else takes netring's types.
func interfaceNext(c net.Conn) error {
	if tc, ok := c.(*net.TCPConn); ok { // want works "tries interface\{CloseWrite\(\) error\} next"
		return tc.CloseWrite()
	}
	if cw, ok := c.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errType
}

func interfaceInElse(c net.Conn) error {
	if tc, ok := c.(*net.TCPConn); ok { // want works "tries syscall.Conn next"
		return tc.CloseWrite()
	} else if _, ok := c.(syscall.Conn); ok {
		return nil
	}
	return errType
}

// An interface that netring's types do not implement is no help.
func otherInterface(c net.Conn) error {
	if tc, ok := c.(*net.TCPConn); ok { // want fails "returns an error: errType"
		return tc.CloseWrite()
	}
	if _, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok {
		return nil
	}
	return errType
}

func guarded(c net.Conn) error {
	if _, ok := c.(*net.TCPConn); ok { // want silent "skips"
		c.(*net.TCPConn).SetNoDelay(true) // want works "the test at line \d+ has the same type"
	}
	switch c.(type) {
	case *net.UnixConn: // want fails "returns an error: errType"
		return c.(*net.UnixConn).CloseWrite() // want works "the test at line"
	case *tls.Conn:
		c.(*net.TCPConn).SetNoDelay(true) // want fails "panics"
	}
	if _, ok := c.(*net.TCPConn); !ok { // want fails "returns an error: errType"
		return errType
	}
	return c.(*net.TCPConn).CloseWrite() // want works "the test at line"
}

func guardedByMore(c net.Conn, strict bool) error {
	if _, ok := c.(*net.TCPConn); !ok || strict { // want fails "returns an error: errType"
		return errType
	}
	return c.(*net.TCPConn).CloseWrite() // want works "the test at line"
}

func switches(c net.Conn) error {
	switch c := c.(type) {
	case *net.TCPConn: // want silent "takes the default clause" write "case interface\{ CloseWrite\(\) error \}:"
		c.CloseWrite()
	default:
		fmt.Println("not TCP")
	}
	switch c := c.(type) {
	case *net.TCPConn: // want silent "no case takes it"
		c.SetNoDelay(true)
	}
	switch c := c.(type) {
	case *net.TCPConn: // want fails "closes it"
		c.SetNoDelay(true)
	default:
		c.Close()
	}
	switch c := c.(type) {
	case *net.TCPConn, *net.UnixConn: // want fails "returns an error: errType" write "case \*netring.Conn:"
		return c.Close()
	}
	return errType
}

func nestedSwitch(c net.Conn) error {
	if tc, ok := c.(*net.TCPConn); ok { // want fails "returns an error: errors.New"
		return tc.CloseWrite()
	}
	switch c.(type) {
	case *tls.Conn:
		return nil
	default:
		return errors.New("neither TCP nor TLS")
	}
}

// The interface of x decides whether netring's type can be in it.
func cannotHold(p net.PacketConn, a any, w io.Writer) {
	p.(*net.UnixConn).CloseWrite() // want works "\*Conn does not have the methods of net.PacketConn"
	a.(*net.TCPListener).Close()   // want fails "panics" write "a.\(interface\{ Close\(\) error \}\)"
	w.(*net.TCPConn).CloseWrite()  // want fails "panics"
}

func unknownMethods(ln net.Listener) error {
	l := ln.(*net.UnixListener) // want fails "panics" write "ln.\(\*netring.Listener\)"
	_, err := l.AcceptUnix()
	return err
}
