package netring

import (
	"io"
	"reflect"
)

// upgraded is the body of an answer with status 101 of an http.Transport: a connection
// behind what the transport has read ahead. httputil.ReverseProxy copies to and from it, for
// WebSockets and other upgrades. Package net/http does not export its type.
type upgraded struct {
	io.ReadWriter
	c     *Conn
	ahead reflect.Value // the reader with what was read ahead; nil once that is used up
}

// upgradedOf returns rw as an upgraded, if it is one and its connection is netring's.
func upgradedOf(rw any) (u upgraded, ok bool) {
	v := reflect.ValueOf(rw)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return u, false
	}
	if v = v.Elem(); v.Type().PkgPath() != "net/http" || v.Type().Name() != "readWriteCloserBody" {
		return u, false
	}
	inner := v.FieldByName("ReadWriteCloser")
	u.ahead = v.FieldByName("br")
	if !inner.IsValid() || !inner.CanInterface() || !u.ahead.IsValid() || u.ahead.Kind() != reflect.Pointer {
		return u, false // another version of net/http
	}
	u.c, ok = inner.Interface().(*Conn)
	if ok {
		u.ReadWriter, ok = rw.(io.ReadWriter)
	}
	return u, ok && u.c.ok()
}

// readAhead writes to w what the transport has read ahead.
func (u upgraded) readAhead(w io.Writer) (n int64, err error) {
	buf := make([]byte, 4<<10)
	for !u.ahead.IsNil() {
		k, err := u.Read(buf)
		if err != nil {
			return n, err
		}
		k, err = w.Write(buf[:k])
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
