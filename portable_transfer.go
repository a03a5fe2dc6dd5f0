package netring

import (
	"io"
	"os"
)

// ReadFrom implements io.ReaderFrom: it sends the content of r until io.EOF. Outside
// Linux, package net sends a file, also inside an io.LimitedReader, without copying
// where the system can. Other content goes through memory. Write deadlines and Close
// interrupt a transfer. Other calls may write to the connection while ReadFrom waits
// for r.
func (c *portableConn) ReadFrom(r io.Reader) (n int64, err error) {
	if c.ok() && c.tcp != nil && isFile(r) {
		err = c.call(callWrite, "readfrom", func() (err error) {
			n, err = c.tcp.ReadFrom(r)
			return err
		})
		return n, err
	}
	n, err = io.Copy(portableWriter{c}, r)
	return n, c.copyError("readfrom", err)
}

// isFile reports whether r reads a file and nothing else.
func isFile(r io.Reader) bool {
	if lr, ok := r.(*io.LimitedReader); ok {
		r = lr.R
	}
	_, ok := r.(*os.File)
	return ok
}

// WriteTo implements io.WriterTo: it writes to w what the connection receives until
// io.EOF.
func (c *portableConn) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, portableReader{c})
	return n, c.copyError("writeto", err)
}

// copyError wraps an error of copying as package net does. Package net's unix
// connections do not wrap the errors of Read and Write again.
func (c *portableConn) copyError(op string, err error) error {
	if !c.ok() || c.tcp == nil {
		return err
	}
	return c.opError(op, err)
}

// portableWriter is a portableConn without ReadFrom, so that io.Copy uses Write.
type portableWriter struct{ c *portableConn }

func (w portableWriter) Write(p []byte) (int, error) { return w.c.Write(p) }

// portableReader is a portableConn without WriteTo, so that io.Copy uses Read.
type portableReader struct{ c *portableConn }

func (r portableReader) Read(p []byte) (int, error) { return r.c.Read(p) }
