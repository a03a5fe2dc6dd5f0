package deep

import "github.com/netring-go/netring/cmd/netring-try/internal/overlay"

// Files below GOROOT/src.
const (
	pollDir     = "internal/poll"
	pollRuntime = pollDir + "/fd_poll_runtime.go"
	pollUnix    = pollDir + "/fd_unix.go"
	pollWritev  = pollDir + "/writev.go"
	netUnix     = "net/fd_unix.go"
)

// insertions are all the changes to functions. What they call is in src/internal/poll.
var insertions = []overlay.Insertion{
	{
		File: pollRuntime, Func: "func (pd *pollDesc) init(fd *FD) error",
		Text: "if done, err := pd.netringInit(fd); done { return err }",
	},
	{
		File: pollRuntime, Func: "func (pd *pollDesc) close()",
		Text: "if pd.ring != nil { pd.netringRelease(); return }",
	},
	{
		File: pollRuntime, Func: "func (pd *pollDesc) evict()",
		Text: "if pd.ring != nil { pd.netringEvict(); return }",
	},
	{
		File: pollRuntime, Func: "func (pd *pollDesc) prepare(mode int, isFile bool) error",
		Text: "if pd.ring != nil { return pd.ring.Prepare(mode == 'w') }",
	},
	{
		File: pollRuntime, Func: "func (pd *pollDesc) wait(mode int, isFile bool) error",
		Text: "if pd.ring != nil { return pd.ring.Wait(mode == 'w') }",
	},
	{
		File: pollRuntime, Func: "func (pd *pollDesc) pollable() bool",
		Text: "if pd.ring != nil { return true }",
	},
	{
		File: pollRuntime, Func: "func setDeadlineImpl(fd *FD, t time.Time, mode int) error",
		Text: "if fd.pd.ring != nil { return fd.netringSetDeadline(t, mode) }",
	},
	{
		File: pollUnix, Func: "func (fd *FD) Read(p []byte) (int, error)",
		After: []string{"readLock", "readUnlock"}, Before: "prepareRead",
		Text: "if fd.pd.ring != nil { return fd.pd.ring.Read(p) }",
	},
	{
		File: pollUnix, Func: "func (fd *FD) Write(p []byte) (int, error)",
		After: []string{"writeLock", "writeUnlock"}, Before: "prepareWrite",
		Text: "if fd.pd.ring != nil { return fd.pd.ring.Write(p) }",
	},
	{
		File: pollWritev, Func: "func (fd *FD) Writev(v *[][]byte) (int64, error)",
		After: []string{"writeLock", "writeUnlock"}, Before: "prepareWrite",
		Text: "if fd.pd.ring != nil { return fd.netringWritev(v) }",
	},
	{
		File: netUnix,
		Func: "func (fd *netFD) connect(ctx context.Context, la, ra syscall.Sockaddr) (rsa syscall.Sockaddr, ret error)",
		Text: "fd.pfd.NetringDialled()",
	},
}
