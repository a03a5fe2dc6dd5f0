package migrating

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/prefork"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring"
)

func serveFast(s *fasthttp.Server, addr string) error {
	ln, err := netring.Listen("tcp4", addr) // was: s.ListenAndServe(addr)
	if err != nil {
		return err
	}
	return s.Serve(ln)
}

func listenReusePort(ctx context.Context, addr string) (net.Listener, error) {
	lc := netring.ListenConfig{Control: reusePort} // was: reuseport.Listen("tcp4", addr)
	return lc.Listen(ctx, "tcp4", addr)
}

func reusePort(_, _ string, c syscall.RawConn) (err error) {
	ctlErr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(ctlErr, err)
}

func newPrefork(s *fasthttp.Server) *prefork.Prefork {
	p := prefork.New(s)
	p.ServeFunc = func(ln net.Listener) error { // in each child
		ln, err := netring.Wrap(ln)
		if err != nil {
			return err
		}
		return s.Serve(ln)
	}
	return p
}

func newFastClient() *fasthttp.Client {
	return &fasthttp.Client{
		Dial: func(addr string) (net.Conn, error) { return netring.Dial("tcp4", addr) },
	}
}
