//go:build netring_try_overlay

package poll

import (
	"syscall"
	"time"
)

// NetringFD is a stream socket on a netring reactor.
type NetringFD interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Writev(bufs [][]byte) (int, error)
	SetDeadline(t time.Time, read, write bool) error
	SetDirectWrites()
	Prepare(write bool) error
	Wait(write bool) error
	Close() error
	Release() error
}

// NetringOpen gives a socket to a reactor. It returns nil if it does not want it. It is set
// while package net is initialised, before there is any socket.
var NetringOpen func(sysfd int) NetringFD

// NetringDialled says that the socket is about to be connected by this process. It is
// called before Init.
func (fd *FD) NetringDialled() { fd.pd.dialled = true }

// netringInit gives the socket to a reactor. done says that one has it; else the netpoller
// takes it. The second Init of a socket fails with the netpoller's error.
func (pd *pollDesc) netringInit(fd *FD) (done bool, err error) {
	if pd.ring != nil {
		return true, syscall.EEXIST
	}
	if NetringOpen == nil || fd.isFile || !fd.IsStream {
		return false, nil
	}
	ring := NetringOpen(fd.Sysfd)
	if ring == nil {
		return false, nil
	}
	if pd.dialled {
		ring.SetDirectWrites()
	}
	pd.ring = ring
	return true, nil
}

// netringEvict ends the calls that wait. Its caller has closed the fdMutex, so there is no
// second call.
func (pd *pollDesc) netringEvict() { _ = pd.ring.Close() }

// netringRelease ends the reactor's use of the socket. That fails only if the socket has
// left the epoll set already.
func (pd *pollDesc) netringRelease() { _ = pd.ring.Release() }

func (fd *FD) netringSetDeadline(t time.Time, mode int) error {
	if err := fd.incref(); err != nil {
		return err
	}
	defer fd.decref()
	return fd.pd.ring.SetDeadline(t, mode != 'w', mode != 'r')
}

// netringWritev is Writev for a caller that has the write lock. It counts calls as Writev
// does: one for 1024 pieces.
func (fd *FD) netringWritev(v *[][]byte) (n int64, err error) {
	if err := fd.pd.ring.Prepare(true); err != nil {
		return 0, err
	}
	for err == nil && len(*v) > 0 {
		if len((*v)[0]) == 0 {
			consume(v, 0)
			continue
		}
		var k int
		k, err = fd.pd.ring.Writev((*v)[:min(len(*v), 1024)])
		TestHookDidWritev(k)
		n += int64(k)
		consume(v, int64(k))
	}
	return n, err
}
