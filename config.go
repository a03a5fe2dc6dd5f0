package netring

import (
	"fmt"
	"runtime"
)

// Config configures a [Poller]. Its zero value is right for most programs. Outside
// Linux, only Engine and BufferSize have an effect; the other fields are checked.
type Config struct {
	// Engine is how operations reach the kernel. With EngineURing, NewPoller fails if
	// io_uring is unavailable. The environment variable NETRING_ENGINE takes precedence.
	Engine Engine

	// Reactors is the number of reactors, 0 to 1024. 0 means one for each P (see
	// runtime.GOMAXPROCS), but at most one for each CPU (see runtime.NumCPU). Reactors
	// that share a CPU have fewer operations per batch. If GOMAXPROCS grows, the next
	// Listen or Dial adds reactors.
	Reactors int

	// Buffers is the number of receive buffers of a reactor: a power of two up to 32768.
	// 0 means 256. The reactor's connections share the buffers for reads of less than
	// 512 bytes. When all buffers are in use, reads go straight to the caller's memory.
	Buffers int

	// BufferSize is the size in bytes of each shared buffer, 512 to 1 MiB. 0 means 16384.
	// The kernel commits a buffer's memory on its first use.
	BufferSize int

	// WriteBuffer is the size in bytes of each connection's write buffer, 512 to 16 MiB.
	// 0 means none. With a write buffer, connections coalesce their writes: a Write of
	// fewer bytes than WriteBuffer copies them and returns. Everything written since the
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
	// requests, broadcasts. A ListenConfig or Dialer can have its own size. Outside
	// Linux, a Write never buffers.
	WriteBuffer int
}

const (
	maxReactors       = 1024
	defaultBuffers    = 256
	maxBuffers        = 1 << 15
	defaultBufferSize = 16 << 10
	minBufferSize     = 512
	maxBufferSize     = 1 << 20

	minWriteBuffer = 512
	maxWriteBuffer = 16 << 20
)

// defaultReactors returns the number of reactors for Config.Reactors 0.
func defaultReactors() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU(), maxReactors) }

// withDefaults returns the configuration with zero fields filled in and the engine
// that the environment asks for. It fails if a field is out of range. Package bufring
// sets the limits of Buffers and BufferSize.
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
	if c.Buffers < 0 || c.Buffers > maxBuffers || c.Buffers&(c.Buffers-1) != 0 {
		return c, fmt.Errorf("netring: Config.Buffers is %d; use 0 for %d, or a power of two up to %d", c.Buffers, defaultBuffers, maxBuffers)
	}
	if c.Buffers == 0 {
		c.Buffers = defaultBuffers
	}
	if c.BufferSize != 0 && (c.BufferSize < minBufferSize || c.BufferSize > maxBufferSize) {
		return c, fmt.Errorf("netring: Config.BufferSize is %d; use 0 for %d, or %d to %d bytes", c.BufferSize, defaultBufferSize, minBufferSize, maxBufferSize)
	}
	if c.BufferSize == 0 {
		c.BufferSize = defaultBufferSize
	}
	if c.WriteBuffer != 0 && !validWriteBuffer(c.WriteBuffer) {
		return c, fmt.Errorf("netring: Config.WriteBuffer is %d; use 0 for none, or %d to %d bytes", c.WriteBuffer, minWriteBuffer, maxWriteBuffer)
	}
	return c, nil
}

// writeBuffer returns the size of a connection's write buffer. own is the value of the
// named field of the connection's listener or dialer.
func (c Config) writeBuffer(field string, own int) (int, error) {
	switch {
	case own == 0:
		return c.WriteBuffer, nil
	case own < 0:
		return 0, nil
	case !validWriteBuffer(own):
		return 0, fmt.Errorf("netring: %s is %d; use 0 for the Poller's size, a negative value for none, or %d to %d bytes", field, own, minWriteBuffer, maxWriteBuffer)
	}
	return own, nil
}

func validWriteBuffer(bytes int) bool { return bytes >= minWriteBuffer && bytes <= maxWriteBuffer }

// writeBufferingError returns SetWriteBuffering's error for a size out of range.
func writeBufferingError(bytes int) error {
	return fmt.Errorf("netring: SetWriteBuffering: the size is %d; use 0 for none, or %d to %d bytes", bytes, minWriteBuffer, maxWriteBuffer)
}
