package netring

import (
	"fmt"
	"runtime"
)

// Config configures a [Poller]. Its zero value is right for most programs.
type Config struct {
	// Engine is how operations reach the kernel. If EngineURing is asked for and
	// unavailable, NewPoller fails. The environment variable NETRING_ENGINE goes
	// before it.
	Engine Engine

	// Reactors is the number of reactors, 0 to 1024. 0 means one for each P, see
	// runtime.GOMAXPROCS, but not more than there are CPUs, see runtime.NumCPU: those
	// that share a CPU have fewer operations per batch. If GOMAXPROCS grows, the next
	// Listen or Dial adds reactors.
	Reactors int

	// Buffers is the number of receive buffers that a reactor's connections share
	// for reads of less than 512 bytes: a power of two up to 32768. 0 means 256.
	// When they run out, reads go straight to the caller's memory.
	Buffers int

	// BufferSize is the size of those buffers in bytes, 512 to 1 MiB. 0 means 16384.
	// Memory is only committed as they are used.
	BufferSize int

	// WriteBuffer, if not 0, has connections coalesce their writes: a Write of fewer
	// bytes than this copies them and returns, and the reactor sends what has been
	// written since with one operation per batch. 512 bytes to 16 MiB; it is also
	// the most that a connection buffers. A Write that finds the buffer full waits,
	// until the write deadline. A send that fails is reported by the next Write,
	// Flush or Close. Close sends what is buffered, in the background if the peer
	// does not take it at once: for up to 5 s, or until the write deadline, and
	// only as long as the Poller lives. CloseWrite and whatever else works on the
	// socket itself (ReadFrom, File, Detach, SyscallConn's Write) wait until it is
	// sent, or fail at the write deadline. It pays where a connection makes many
	// small writes: pipelined requests, broadcasts. A ListenConfig or Dialer can have
	// a value of its own.
	WriteBuffer int
}

const (
	maxReactors       = 1024
	defaultBuffers    = 256
	defaultBufferSize = 16 << 10

	minWriteBuffer = 512
	maxWriteBuffer = 16 << 20
)

// defaultReactors is the number of reactors for Config.Reactors 0.
func defaultReactors() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU(), maxReactors) }

// withDefaults returns the configuration with zero fields filled in and the
// environment's say in it, or says what is wrong with it. The limits of the
// buffers are those of package bufring, which says so itself.
func (c Config) withDefaults() (_ Config, err error) {
	switch c.Engine {
	case EngineAuto, EngineURing, EngineSyscall, EngineNet:
	default:
		return c, fmt.Errorf("netring: Config.Engine is %v: want EngineAuto, EngineURing, EngineSyscall or EngineNet", c.Engine)
	}
	c.Engine, err = override(c.Engine)
	if err != nil {
		return c, err
	}
	if c.Reactors < 0 || c.Reactors > maxReactors {
		return c, fmt.Errorf("netring: Config.Reactors is %d: want 0 (one for each P) to %d", c.Reactors, maxReactors)
	}
	if c.Reactors == 0 {
		c.Reactors = defaultReactors()
	}
	if c.Buffers < 0 || c.Buffers > 1<<15 || c.Buffers&(c.Buffers-1) != 0 {
		return c, fmt.Errorf("netring: Config.Buffers is %d: want 0 (%d) or a power of two up to 32768", c.Buffers, defaultBuffers)
	}
	if c.Buffers == 0 {
		c.Buffers = defaultBuffers
	}
	if c.BufferSize != 0 && (c.BufferSize < 512 || c.BufferSize > 1<<20) {
		return c, fmt.Errorf("netring: Config.BufferSize is %d bytes: want 0 (%d) or 512 to 1048576", c.BufferSize, defaultBufferSize)
	}
	if c.WriteBuffer != 0 && (c.WriteBuffer < minWriteBuffer || c.WriteBuffer > maxWriteBuffer) {
		return c, fmt.Errorf("netring: Config.WriteBuffer is %d; use 0 for none, or %d to %d bytes", c.WriteBuffer, minWriteBuffer, maxWriteBuffer)
	}
	if c.BufferSize == 0 {
		c.BufferSize = defaultBufferSize
	}
	return c, nil
}
