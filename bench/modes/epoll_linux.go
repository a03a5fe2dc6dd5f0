package modes

import (
	"log"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
)

// maxReady is how many sockets epoll reports at once.
const maxReady = 256

// notRead says that an answer did not fit a socket's buffer.
const notRead = "a peer has not read hundreds of answers"

// epollLoop accepts connections and calls answer with the sockets that are readable.
// Those that it returns are closed.
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
			switch err {
			case nil:
				watch(fd)
			case unix.EAGAIN, unix.EINTR, unix.ECONNABORTED:
			default:
				check("accept4", err)
			}
		}
		for _, fd := range answer(ready) {
			check("close", unix.Close(fd))
		}
	}
}

// answerByCalls answers the requests with system calls: the base line of the loops.
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
				over = append(over, fd) // the peer has gone
			}
		}
		return over
	}
}

// batches answers requests as the library does, without its goroutines: the receives
// of all sockets that are ready make one submission, the sends of their answers the
// next. No operation is left armed.
type batches struct {
	ring     *ring
	buf      []byte // recvSize for each socket, then the answer
	sockets  []int  // that are ready
	received []int  // indexes of those that have brought a request
	over     []int  // sockets at their end
}

func newBatches() *batches {
	b := &batches{ring: newRing(0), buf: anonymous(maxReady*recvSize + len(load.RawAnswer))}
	copy(b.buf[maxReady*recvSize:], load.RawAnswer)
	return b
}

// answer takes a batch of receives and the sends that follow from it to their end.
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

// submit hands n operations to the kernel, which completes each at once.
func (b *batches) submit(n int) {
	var flags uint32
	for tries := 0; n > 0; tries++ {
		if tries == maxTries {
			log.Fatal("operations without completions")
		}
		b.ring.enter(0, flags)
		n -= b.ring.reap(b.complete)
		flags = iouring.IORING_ENTER_FLAGS_GETEVENTS // see what keeps the rest
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
