package netring

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
	"github.com/netring-go/netring/reactor"
)

// File returns a duplicate of the connection's descriptor. The caller must close the
// File; that does not close the connection. File fails with [ErrUnread] if bytes have
// been received ahead. After a call of File, the connection receives nothing ahead.
func (c *Conn) File() (*os.File, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	sysfd, err := c.duplicate()
	runtime.KeepAlive(c)
	if err != nil {
		return nil, c.opError("file", "fcntl", err)
	}
	return os.NewFile(uintptr(sysfd), fmt.Sprintf("%s:%v->%v", c.net, c.laddr, c.raddr)), nil
}

// duplicate returns a close-on-exec duplicate of c's descriptor. It fails unless the
// socket holds the whole unread stream.
func (c *Conn) duplicate() (sysfd int, err error) {
	sysfd = -1
	err = c.fd.ControlWhole(func(s int) (err error) {
		sysfd, err = unix.FcntlInt(uintptr(s), unix.F_DUPFD_CLOEXEC, 0)
		return err
	})
	return sysfd, err
}

// Detach turns the connection into a *net.TCPConn, for code that needs one. The caller
// must close the returned connection, which has no deadlines. c is closed. Detach
// waits for a Read or Write under way. If bytes have been received ahead, Detach fails
// with [ErrUnread] and c stays open.
func (c *Conn) Detach() (*net.TCPConn, error) {
	if !c.ok() {
		return nil, syscall.EINVAL
	}
	fail := func(err error) (*net.TCPConn, error) {
		return nil, c.opError("detach", "fcntl", err)
	}
	if _, ok := c.laddr.(*net.TCPAddr); !ok {
		return fail(errNotTCP)
	}
	var sysfd int
	// Holding both sides waits for a Read and a Write under way.
	err := c.fd.Writing(func(reactor.Waiting) error {
		return c.fd.Reading(func(reactor.Waiting) (err error) {
			sysfd, err = c.duplicate()
			return err
		})
	})
	if err != nil {
		return fail(err)
	}
	f := os.NewFile(uintptr(sysfd), "")
	std, err := net.FileConn(f)
	if err = errjoin.Join(err, f.Close()); err != nil {
		return fail(err)
	}
	tc, ok := std.(*net.TCPConn)
	if !ok {
		return fail(errjoin.Join(fmt.Errorf("netring: net.FileConn returned a %T instead of a *net.TCPConn; use File", std), std.Close()))
	}
	if err := c.Close(); err != nil {
		return fail(errjoin.Join(err, tc.Close()))
	}
	return tc, nil
}

// File returns a duplicate of the listener's descriptor, for example for another
// process. The caller must close the File; that does not close the listener.
func (l *Listener) File() (*os.File, error) {
	if !l.ok() {
		return nil, syscall.EINVAL
	}
	sysfd := -1
	err := l.fd.ControlShared(func(s int) (err error) {
		sysfd, err = unix.FcntlInt(uintptr(s), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	runtime.KeepAlive(l)
	if err != nil {
		return nil, l.opError("file", "", err)
	}
	return os.NewFile(uintptr(sysfd), fmt.Sprintf("%s:%v->", l.net, l.addr)), nil
}
