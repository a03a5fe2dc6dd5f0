package netring

import (
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"
)

// backoffLogPeriod bounds how often a listener logs that Accept fails. A server that
// backs off, as net/http does, calls Accept up to 200 times a second.
const backoffLogPeriod = time.Second

// backoffs counts and logs a listener's temporary errors.
type backoffs struct {
	n      atomic.Uint64
	logged atomic.Int64 // when the last one was logged, in nanoseconds since 1970; 0: never
}

// note counts err, and logs it unless another one has just been logged.
func (b *backoffs) note(logger *slog.Logger, addr net.Addr, err error) {
	n := b.n.Add(1)
	if logger == nil {
		return
	}
	now, last := time.Now().UnixNano(), b.logged.Load()
	if last != 0 && now-last < int64(backoffLogPeriod) || !b.logged.CompareAndSwap(last, now) {
		return
	}
	logger.Warn("netring: Accept failed for lack of resources, so the server backs off", "listener", addr, "error", err, "errors", n)
}

// isTemporary reports whether err makes a server back off and accept again.
func isTemporary(err error) bool {
	var ne net.Error
	//lint:ignore SA1019 net/http and others ask for it, too
	return errors.As(err, &ne) && !ne.Timeout() && ne.Temporary()
}
