package modes

import (
	"log"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// maxReady is the most sockets that epoll reports at once.
const maxReady = 256

// notRead is the error if a socket's buffer has no room for an answer.
const notRead = "a client did not read hundreds of answers"

// epollLoop accepts connections and calls answer with the readable sockets. It closes the sockets
// that answer returns.
func epollLoop(listener int, answer func(ready []int) (over []int)) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	check("epoll_create1", err)
	watch := func(fd int) {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		check("epoll_ctl", unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &ev))
	}
	check("fcntl", unix.SetNonblock(listener, true))
	watch(listener)
	var events [maxReady]unix.EpollEvent
	ready := make([]int, 0, maxReady)
	for {
		n, err := unix.EpollWait(epfd, events[:], -1)
		if err != unix.EINTR {
			check("epoll_wait", err)
		}
		ready = ready[:0]
		for i := range max(n, 0) {
			if fd := int(events[i].Fd); fd != listener {
				ready = append(ready, fd)
				continue
			}
			fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			if err == nil {
				watch(fd)
			} else if err != unix.EAGAIN && err != unix.EINTR && err != unix.ECONNABORTED {
				check("accept4", err)
			}
		}
		for _, fd := range answer(ready) {
			check("close", unix.Close(fd))
		}
	}
}

// answerByCalls answers requests with system calls. The loops are compared with it.
func answerByCalls() func(ready []int) (over []int) {
	buf := make([]byte, recvSize)
	out := []byte(load.RawAnswer)
	return func(ready []int) (over []int) {
		for _, fd := range ready {
			n, errno := load.Recv(fd, buf)
			if errno == unix.EAGAIN {
				continue
			}
			if errno == 0 && n > 0 {
				n, errno = load.Send(fd, out)
				if errno == unix.EAGAIN || errno == 0 && n < len(out) {
					log.Fatal(notRead)
				}
			}
			if errno != 0 || n == 0 {
				over = append(over, fd) // the client hung up
			}
		}
		return over
	}
}

// batches answers requests as netring does, but without goroutines. One submission receives from
// all ready sockets, and the next sends the answers. No operation stays armed.
type batches struct {
	ring     *ring
	buf      []byte // recvSize for each socket, then the answer
	sockets  []int  // the ready sockets
	received []int  // indexes of the sockets with a request
	over     []int  // the sockets to close
}

func newBatches() *batches {
	b := &batches{ring: newRing(0), buf: anonymous(maxReady*recvSize + len(load.RawAnswer))}
	copy(b.buf[maxReady*recvSize:], load.RawAnswer)
	return b
}

// answer receives from the ready sockets and answers. It returns the sockets to close.
func (b *batches) answer(ready []int) (over []int) {
	b.sockets, b.received, b.over = ready, b.received[:0], b.over[:0]
	for i, fd := range ready {
		b.ring.op(iouring.IORING_OP_RECV, int32(fd), b.buf[i*recvSize:][:recvSize], userData(kindRecv, uint32(i))).SetOpFlags(unix.MSG_DONTWAIT)
	}
	b.submit(len(ready))
	for _, i := range b.received {
		b.ring.op(iouring.IORING_OP_SEND, int32(ready[i]), b.buf[maxReady*recvSize:], userData(kindSend, uint32(i))).SetOpFlags(unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL)
	}
	b.submit(len(b.received))
	return b.over
}

// submit submits n operations, which complete at once.
func (b *batches) submit(n int) {
	var flags uint32
	for tries := 0; n > 0; tries++ {
		if tries == maxTries {
			log.Fatalf("%d operations did not complete in %d calls of io_uring_enter", n, maxTries)
		}
		b.ring.enter(0, flags)
		n -= b.ring.reap(b.complete)
		flags = iouring.IORING_ENTER_FLAGS_GETEVENTS // in case the kernel deferred completions
	}
}

func (b *batches) complete(e completion) {
	done("IORING_OP_RECV or SEND with MSG_DONTWAIT", e.res)
	switch {
	case e.res == -int32(unix.EAGAIN):
	case e.res <= 0:
		b.over = append(b.over, b.sockets[e.slot])
	case e.kind == kindRecv:
		b.received = append(b.received, int(e.slot))
	case int(e.res) < len(load.RawAnswer):
		log.Fatal(notRead)
	}
}
