package netring

import (
	"fmt"
	"log/slog"
	"runtime"
)

// Config configures a [Poller]. Its zero value is right for most programs. Outside
// Linux, only Engine and ReadBufferSize have an effect; the other fields are checked.
type Config struct {
	// Engine is how operations reach the kernel. With EngineURing, NewPoller fails if
	// io_uring is unavailable. The environment variable NETRING_ENGINE takes precedence.
	Engine Engine

	// Reactors is the number of reactors, 0 to 1024. 0 means one for each P (see
	// runtime.GOMAXPROCS), but at most one for each CPU (see runtime.NumCPU). Reactors
	// that share a CPU have fewer operations per batch. If GOMAXPROCS changes, new
	// connections use as many reactors; a connection stays with its reactor.
	Reactors int

	// ReadBuffers is the number of receive buffers of a reactor: a power of two up to 32768.
	// 0 means 256. The reactor's connections share the buffers for reads of less than
	// 512 bytes. When all buffers are in use, reads go straight to the caller's memory.
	ReadBuffers int

	// ReadBufferSize is the size in bytes of each shared buffer, 512 to 1 MiB. 0 means 16384.
	// The kernel commits a buffer's memory on its first use.
	ReadBufferSize int

	// Coalesce is the size in bytes of each connection's write buffer, 512 to 16 MiB.
	// 0 means none. With a write buffer, connections coalesce their writes: a Write of
	// fewer bytes than Coalesce copies them and returns. Everything written since the
	// reactor's last batch leaves in one operation. A Write that finds the buffer full
	// waits for room, until the write deadline. The next Write, Flush or Close reports a
	// send that failed.
	//
	// Close sends what is buffered. If the socket does not take everything at once, Close
	// returns and netring sends the rest in the background. netring gives up after
	// 5 s, at the write deadline, or when the Poller is closed. CloseWrite, ReadFrom,
	// File, Detach and SyscallConn's Write wait until the buffer is sent, or fail at the
	// write deadline.
	//
	// A write buffer pays off where a connection makes many small writes: pipelined
	// requests, broadcasts. A ListenConfig or Dialer can have its own size. A
	// "unixpacket" connection keeps the boundaries of messages, so it has no write buffer.
	// Outside Linux, a Write never buffers.
	Coalesce int

	// Logger, if not nil, is told of the engine and the reason (level Info), and of what
	// an operator should know of (level Warn): features of io_uring that fail at run time,
	// a ring that breaks, and temporary errors of Accept, at most once a second for each
	// listener. The records may come from a goroutine of their own. Outside Linux,
	// netring logs the engine only.
	Logger *slog.Logger

	// Trace makes Read, Write and Accept regions of an execution trace, see
	// [runtime/trace]. While no trace is taken, this costs a few nanoseconds for each
	// call. Outside Linux, there are no regions.
	Trace bool
}

// log returns the Logger, one that drops everything if it is nil.
func (c Config) log() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

const (
	maxReactors           = 1024
	defaultReadBuffers    = 256
	maxReadBuffers        = 1 << 15
	defaultReadBufferSize = 16 << 10
	minReadBufferSize     = 512
	maxReadBufferSize     = 1 << 20

	minCoalesce = 512
	maxCoalesce = 16 << 20
)

// defaultReactors returns the number of reactors for Config.Reactors 0.
func defaultReactors() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU(), maxReactors) }

// withDefaults returns the configuration with zero fields filled in and the engine
// that the environment asks for. It fails if a field is out of range. Package bufring
// sets the limits of ReadBuffers and ReadBufferSize.
func (c Config) withDefaults() (_ Config, err error) {
	if !c.Engine.known() {
		return c, fmt.Errorf("netring: Config.Engine is %v; use EngineAuto, EngineURing, EngineSyscall or EngineNet", c.Engine)
	}
	c.Engine, err = override(c.Engine)
	if err != nil {
		return c, err
	}
	if c.Reactors < 0 || c.Reactors > maxReactors {
		return c, fmt.Errorf("netring: Config.Reactors is %d; use 0 for one per P, or 1 to %d", c.Reactors, maxReactors)
	}
	if c.Reactors == 0 {
		c.Reactors = defaultReactors()
	}
	if c.ReadBuffers < 0 || c.ReadBuffers > maxReadBuffers || c.ReadBuffers&(c.ReadBuffers-1) != 0 {
		return c, fmt.Errorf("netring: Config.ReadBuffers is %d; use 0 for %d, or a power of two up to %d", c.ReadBuffers, defaultReadBuffers, maxReadBuffers)
	}
	if c.ReadBuffers == 0 {
		c.ReadBuffers = defaultReadBuffers
	}
	if c.ReadBufferSize != 0 && (c.ReadBufferSize < minReadBufferSize || c.ReadBufferSize > maxReadBufferSize) {
		return c, fmt.Errorf("netring: Config.ReadBufferSize is %d; use 0 for %d, or %d to %d bytes", c.ReadBufferSize, defaultReadBufferSize, minReadBufferSize, maxReadBufferSize)
	}
	if c.ReadBufferSize == 0 {
		c.ReadBufferSize = defaultReadBufferSize
	}
	if c.Coalesce != 0 && !validCoalesce(c.Coalesce) {
		return c, fmt.Errorf("netring: Config.Coalesce is %d; use 0 for none, or %d to %d bytes", c.Coalesce, minCoalesce, maxCoalesce)
	}
	return c, nil
}

// coalesce returns the size of a connection's write buffer. own is the value of the
// named field of the connection's listener or dialer.
func (c Config) coalesce(field string, own int) (int, error) {
	switch {
	case own == 0:
		return c.Coalesce, nil
	case own < 0:
		return 0, nil
	case !validCoalesce(own):
		return 0, fmt.Errorf("netring: %s is %d; use 0 for the Poller's size, a negative value for none, or %d to %d bytes", field, own, minCoalesce, maxCoalesce)
	}
	return own, nil
}

func validCoalesce(bytes int) bool { return bytes >= minCoalesce && bytes <= maxCoalesce }

// coalescingError returns SetCoalescing's error for a size out of range.
func coalescingError(bytes int) error {
	return fmt.Errorf("netring: SetCoalescing: the size is %d; use 0 for none, or %d to %d bytes", bytes, minCoalesce, maxCoalesce)
}
