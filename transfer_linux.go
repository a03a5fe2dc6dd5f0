package netring

import (
	"errors"
	"io"
	"net"
	"reflect"
	"runtime"
	"syscall"

	"github.com/netring-go/netring/reactor"
)

var (
	_ io.ReaderFrom = (*Conn)(nil)
	_ io.WriterTo   = (*Conn)(nil)
)

// ReadFrom implements io.ReaderFrom: it sends the content of r until io.EOF. A file,
// also inside an io.LimitedReader or behind any syscall.Conn, goes by sendfile(2). A
// connection of net goes by splice(2). What a connection of netring receives is passed on
// by the reactors, which wake no goroutine for it; a fast stream goes by splice(2), too.
// Other content goes through memory. Write deadlines and Close interrupt a transfer. Other
// calls may write to the connection while ReadFrom waits for r.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.readFrom(r)
	runtime.KeepAlive(c)
	if err != nil && err != io.EOF && c.isTCP() {
		err = c.opError("readfrom", "", err)
	}
	return n, err
}

// isTCP reports whether c is a TCP connection. Package net's unix connections have
// neither ReadFrom nor WriteTo, so their errors of copying are those of Read and Write.
func (c *Conn) isTCP() bool {
	_, ok := c.laddr.(*net.TCPAddr)
	return ok
}

func (c *Conn) readFrom(r io.Reader) (int64, error) {
	limit, inner := int64(-1), r
	lr, limited := r.(*io.LimitedReader)
	if limited {
		if limit, inner = lr.N, lr.R; limit <= 0 {
			return 0, nil
		}
	}
	n, handled, err := c.moveFrom(inner, limit)
	if limited {
		lr.N -= n
	}
	if handled || err != nil {
		return n, err
	}
	rest, err := io.Copy(writeOnly{c}, r)
	return n + rest, err
}

// moveFrom sends bytes of r without copying them: up to limit bytes, or until io.EOF if
// limit is negative. If handled is false and err is nil, moveFrom has sent n bytes and
// the caller must copy the rest.
func (c *Conn) moveFrom(r io.Reader, limit int64) (n int64, handled bool, err error) {
	if c.keepsBoundaries() {
		return 0, false, nil
	}
	if u, ok := upgradedOf(r); ok && limit < 0 {
		ahead, err := u.readAhead(c)
		if err != nil {
			return ahead, true, err
		}
		n, handled, err := c.moveFrom(u.c, -1)
		return ahead + n, handled, err
	}
	src := sourceOf(r)
	if from, ok := src.(ringSource); ok && limit < 0 && !reactor.InBubble() {
		n, read, err := from.pump(c)
		return n, true, c.copyError(src, read, err)
	}
	if src != nil {
		n, handled, read, err := spliceBetween(src, c, limit, c.fd.Writing)
		return n, handled, c.copyError(src, read, err)
	}
	sc, ok := r.(syscall.Conn)
	if !ok {
		return 0, false, nil
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return 0, false, nil
	}
	if rerr := rc.Read(func(fd uintptr) bool {
		n, handled, err = c.fd.SendFile(int(fd), limit)
		err = wrapErrno("sendfile", err)
		return true
	}); err == nil {
		err = rerr
	}
	return n, handled, c.copyError(nil, false, err)
}

// copyError wraps an error of moving bytes from src to c, if c is a unix connection. If
// read is true, the result is an error of src's Read, else an error of c's Write. For
// TCP, ReadFrom wraps the error.
func (c *Conn) copyError(src source, read bool, err error) error {
	var oe *net.OpError
	if err == nil || c.isTCP() || errors.As(err, &oe) {
		return err
	}
	if read {
		return src.readError(err)
	}
	return c.opError("write", "", err)
}

// source is a connection to splice from. unread writes to w what the connection has
// received ahead. reading then runs body, which may wait for the connection. moved is
// told of the bytes that body has taken.
type source interface {
	unread(limit int64, w io.Writer) (int64, error)
	reading(body func(reactor.Waiting) error) error
	readError(err error) error
	moved(bytes int64)
}

// sourceOf returns r as a source, nil if r is none. Only types whose Read is known to
// read the socket are sources. A type that embeds such a type may have another Read.
func sourceOf(r io.Reader) source {
	switch r := r.(type) {
	case *Conn:
		return sourceOf(ringSource{r})
	case ringSource:
		if r.c.ok() && r.c.keepsBoundaries() {
			return nil
		}
		return r
	case *net.TCPConn:
		return stdSource{r}
	case *net.UnixConn:
		if a := r.LocalAddr(); a != nil && a.Network() == "unix" {
			return stdSource{r}
		}
		return nil
	}
	// TCPConn.WriteTo passes on an unexported struct of package net that embeds a
	// *TCPConn.
	if v := reflect.ValueOf(r); v.Kind() == reflect.Struct && v.Type().PkgPath() == "net" {
		if f := v.FieldByName("TCPConn"); f.IsValid() {
			if tc, ok := f.Interface().(*net.TCPConn); ok {
				return stdSource{tc}
			}
		}
	}
	return nil
}

// ringSource is a Conn as an io.Reader without WriteTo, so that io.Copy does not call
// WriteTo again.
type ringSource struct{ c *Conn }

func (s ringSource) Read(p []byte) (int, error) { return s.c.Read(p) }

func (s ringSource) unread(limit int64, w io.Writer) (int64, error) {
	if !s.c.ok() {
		return 0, syscall.EINVAL
	}
	n := int64(s.c.fd.Unread())
	if limit >= 0 {
		n = min(n, limit)
	}
	if n == 0 {
		return 0, nil
	}
	return io.CopyN(struct{ io.Writer }{w}, struct{ io.Reader }{s.c}, n)
}

func (s ringSource) reading(body func(reactor.Waiting) error) error {
	err := s.c.fd.Reading(body)
	runtime.KeepAlive(s.c)
	return err
}

// pump sends to dst what s receives until it ends.
func (s ringSource) pump(dst *Conn) (n int64, read bool, err error) {
	if !s.c.ok() {
		return 0, false, syscall.EINVAL
	}
	n, read, err = s.c.fd.Pump(dst.fd)
	runtime.KeepAlive(s.c)
	return n, read, wrapErrno("splice", err)
}

func (s ringSource) readError(err error) error { return s.c.opError("read", "", err) }

func (s ringSource) moved(bytes int64) { s.c.fd.CountRead(bytes) }

// stdConn is a connection of package net.
type stdConn interface {
	net.Conn
	syscall.Conn
}

type stdSource struct{ c stdConn }

func (stdSource) unread(int64, io.Writer) (int64, error) { return 0, nil }

func (s stdSource) reading(body func(reactor.Waiting) error) error {
	rc, err := s.c.SyscallConn()
	if err != nil {
		return err
	}
	return body(func(f func(int) bool) error { return rc.Read(func(fd uintptr) bool { return f(int(fd)) }) })
}

func (stdSource) moved(int64) {}

func (s stdSource) readError(err error) error {
	return &net.OpError{Op: "read", Net: s.c.LocalAddr().Network(), Source: s.c.LocalAddr(), Addr: s.c.RemoteAddr(), Err: err}
}

// spliceBetween moves bytes from src to dst: up to limit bytes, or until io.EOF if
// limit is negative. writing runs the writes to dst. read reports that an error comes
// from src.
func spliceBetween(src source, dst io.Writer, limit int64, writing reactor.Side) (n int64, handled, read bool, err error) {
	for {
		left := limit
		if limit >= 0 {
			left = limit - n
		}
		ahead, err := src.unread(left, dst)
		n += ahead
		if err != nil || limit >= 0 && n >= limit {
			return n, true, false, err
		}
		if limit >= 0 {
			left = limit - n
		}
		moved, handled, read, err := reactor.Splice(writing, src.reading, left)
		n += moved
		src.moved(moved)
		if c, ok := dst.(*Conn); ok {
			c.fd.CountWritten(moved)
		}
		if errors.Is(err, reactor.ErrUnread) {
			continue // another reader has received ahead in the meantime
		}
		return n, handled, read, wrapErrno("splice", err)
	}
}

// WriteTo implements io.WriterTo: it writes to w what the connection receives until
// io.EOF. Bytes for a connection of net go by splice(2), and for one of netring as
// ReadFrom sends them.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if !c.ok() {
		return 0, syscall.EINVAL
	}
	n, err := c.writeTo(w)
	runtime.KeepAlive(c)
	if err != nil && err != io.EOF && c.isTCP() {
		err = c.opError("writeto", "", err)
	}
	return n, err
}

func (c *Conn) writeTo(w io.Writer) (n int64, err error) {
	src := ringSource{c}
	if u, ok := upgradedOf(w); ok && !c.keepsBoundaries() && !u.c.keepsBoundaries() && !reactor.InBubble() {
		n, read, err := src.pump(u.c)
		if read {
			return n, src.readError(err)
		}
		return n, u.c.opError("write", "", err)
	}
	if std := stdStream(w); std != nil && !c.keepsBoundaries() {
		rc, err := std.SyscallConn()
		if err != nil {
			return 0, err
		}
		n, handled, read, err := spliceBetween(src, std, -1, func(body func(reactor.Waiting) error) error {
			return body(func(f func(int) bool) error { return rc.Write(func(fd uintptr) bool { return f(int(fd)) }) })
		})
		if err != nil && read && !c.isTCP() {
			err = src.readError(err)
		}
		if handled || err != nil {
			return n, err
		}
		rest, err := io.Copy(w, src)
		return n + rest, err
	}
	return io.Copy(w, src)
}

// stdStream returns w as a stream connection of package net, nil if w is none.
func stdStream(w io.Writer) stdConn {
	switch w := w.(type) {
	case *net.TCPConn:
		return w
	case *net.UnixConn:
		if a := w.LocalAddr(); a != nil && a.Network() == "unix" {
			return w
		}
	}
	return nil
}

// writeOnly is a Conn as an io.Writer without ReadFrom, so that io.Copy does not call
// ReadFrom again.
type writeOnly struct{ c *Conn }

func (w writeOnly) Write(p []byte) (int, error) { return w.c.Write(p) }
