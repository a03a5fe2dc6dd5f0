package netring

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/netring-go/netring/reactor"
)

// netring's engines and package reactor's have the same texts, one for one.
func TestEngineKinds(t *testing.T) {
	for e := range Engine(len(engineNames)) {
		if k := e.kind(); k.String() != e.String() || engineOf(k) != e {
			t.Errorf("%v is %v in package reactor, which is %v here", e, k, engineOf(k))
		}
	}
}

// ErrUnread is netring's own, wherever package reactor's could show.
func TestErrUnreadIsPublic(t *testing.T) {
	for _, engine := range engines(t) {
		t.Run(engine.String(), func(t *testing.T) {
			s := &stack{poller: newPoller(t, Config{Engine: engine})}
			server, client := s.pair(t)
			if _, err := io.WriteString(client, "hello"); err != nil {
				t.Error(err)
			}
			c := server.(*Conn)
			if _, err := c.Read(make([]byte, 1)); err != nil || c.Unread() != 4 {
				t.Fatalf("%v, %d unread", err, c.Unread())
			}
			rc, err := c.SyscallConn()
			must(t, err)
			_, fileErr := c.File()
			_, detachErr := c.Detach()
			for op, err := range map[string]error{
				"raw-read": rc.Read(func(uintptr) bool { return true }), "file": fileErr, "detach": detachErr,
			} {
				var oe *net.OpError
				if !errors.As(err, &oe) || oe.Op != op || oe.Err != ErrUnread || errors.Is(err, reactor.ErrUnread) {
					t.Errorf("%s: %v", op, err)
				}
			}
		})
	}
}
