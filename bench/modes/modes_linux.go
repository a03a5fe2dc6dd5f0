// Package modes has small HTTP servers that use io_uring in different modes. "go run . modes", in
// bench, compares them: netring's design rests on the result.
//
// Servers have two shapes. In a "loop", one goroutine accepts connections, takes the bytes of each
// receive for a request without parsing them, sends a fixed answer and waits for completions. In
// "goroutines", a reactor goroutine owns the ring. It passes each request to the connection's
// goroutine over a channel. That goroutine answers through the ring and waits until the kernel has
// taken the answer, as a net.Conn's Write must.
//
// A mode is a combination of ring flags, SQE flags and operations; see ringModes. Each mode runs
// on a goroutine that is locked to its thread and on one that is not, unless it needs one thread.
package modes

import (
	"log"
	"runtime"
	"slices"

	iouring "github.com/iceber/iouring-go/syscall"
	"golang.org/x/sys/unix"
)

// The shapes of servers, and the modes that are not in ringModes.
const (
	Loop       = "loop"
	Goroutines = "goroutines"
	Epoll      = "epoll"
	readiness  = "readiness"
)

// Server is one of the servers.
type Server struct {
	Shape  string
	Mode   string
	What   string // describes the mode
	Locked bool   // its goroutine is locked to its thread
	Needs  bool   // the mode needs a locked thread
	ring   *ringMode
}

// Name is different for all servers of a shape.
func (s Server) Name() string {
	switch {
	case s.Needs:
		return s.Mode + ", locked (needed)"
	case s.Locked:
		return s.Mode + ", locked"
	}
	return s.Mode + ", unlocked"
}

// Servers returns all servers.
func Servers() (all []Server) {
	add := func(s Server, either bool) {
		if either {
			all = append(all, s)
			s.Locked = true
		}
		all = append(all, s)
	}
	add(Server{Shape: Loop, Mode: Epoll, What: "epoll_wait, recv, send"}, true)
	add(Server{Shape: Loop, Mode: readiness, What: "epoll_wait, then the ready RECVs as one batch and their SENDs as the next (netring's design)"}, true)
	for _, shape := range []string{Loop, Goroutines} {
		for i := range ringModes {
			m := &ringModes[i]
			if m.netpoll && shape == Loop {
				continue
			}
			add(Server{shape, m.name, m.what, m.locked, m.locked, m}, !m.locked && !m.netpoll)
		}
	}
	return all
}

// Start starts the server whose name is Shape, a slash and Name, and returns its port. The server
// runs as long as the process. Any failure ends the process.
func Start(name string) (port int) {
	all := Servers()
	i := slices.IndexFunc(all, func(s Server) bool { return s.Shape+"/"+s.Name() == name })
	if i < 0 {
		log.Fatalf("server %q is unknown; use a Shape, a slash and a Name of Servers", name)
	}
	listener, port := listen()
	go func() {
		if all[i].Locked {
			runtime.LockOSThread() // for as long as the goroutine runs
		}
		all[i].run(listener)
	}()
	return port
}

func (s Server) run(listener int) {
	switch {
	case s.Mode == Epoll:
		epollLoop(listener, answerByCalls())
	case s.Mode == readiness:
		epollLoop(listener, newBatches().answer)
	case s.Shape == Loop:
		newServer(s.ring, listener).loop()
	default:
		newReactor(s.ring, listener).run()
	}
}

// listen returns a listening, blocking socket on a free port of the loopback device.
func listen() (fd, port int) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check("socket", err)
	check("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)) // accepted sockets inherit TCP_NODELAY
	check("bind", unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check("listen", unix.Listen(fd, MaxConns))
	addr, err := unix.Getsockname(fd)
	check("getsockname", err)
	return fd, addr.(*unix.SockaddrInet4).Port
}

// receiving is how requests are received, in the words of an error. The zero value is
// IORING_OP_RECV into the connection's buffer.
type receiving string

const (
	recvFixed           receiving = "IORING_OP_READ_FIXED"                     // a registered buffer
	recvOwnFixed        receiving = "IORING_OP_RECV with RECVSEND_FIXED_BUF"   // a registered buffer
	recvMultishotLegacy receiving = "multishot IORING_OP_RECV, legacy buffers" // IORING_OP_PROVIDE_BUFFERS
	recvMultishotRing   receiving = "multishot IORING_OP_RECV, a buffer ring"  // IORING_REGISTER_PBUF_RING
)

func (r receiving) multishot() bool { return r == recvMultishotLegacy || r == recvMultishotRing }

// sending is how answers are sent. The zero value is IORING_OP_SEND.
type sending string

const (
	sendFixed      sending = "IORING_OP_WRITE_FIXED"
	sendZC         sending = "IORING_OP_SEND_ZC with RECVSEND_FIXED_BUF"
	sendPlainFixed sending = "IORING_OP_SEND with RECVSEND_FIXED_BUF"
)

// ringMode is a mode that uses a ring.
type ringMode struct {
	name, what string
	setup      uint32 // IORING_SETUP flags
	recv       receiving
	send       sending
	async      bool // IOSQE_ASYNC on receives and sends
	files      bool // registered descriptors: accepted sockets go to a file table
	ringFD     bool // the ring's own descriptor is registered
	locked     bool // needs a locked thread
	netpoll    bool // waits in Go's netpoller, not in io_uring_enter; only for reactors on unlocked threads
}

const (
	coop         = iouring.IORING_SETUP_COOP_TASKRUN
	deferTaskrun = ioringSetupSingleIssuer | ioringSetupDeferTaskrun
)

// ringModes are the modes with a ring. Most kernels refuse some of them; the tables then say so.
var ringModes = []ringMode{
	{name: "plain", what: "inline attempt, then poll: no flags at all"},
	{name: "async", what: "IOSQE_ASYNC on every RECV and SEND", async: true},
	{name: "sqpoll", what: "IORING_SETUP_SQPOLL", setup: iouring.IORING_SETUP_SQPOLL},
	{name: "multishot-legacy", what: "multishot RECV, buffers by PROVIDE_BUFFERS", recv: recvMultishotLegacy},
	{name: "multishot-ring", what: "multishot RECV, provided-buffer ring", recv: recvMultishotRing},
	{name: "fixed-files", what: "registered descriptors: direct accepts, IOSQE_FIXED_FILE", files: true},
	{name: "fixed-buffers", what: "registered buffers: READ_FIXED and WRITE_FIXED", recv: recvFixed, send: sendFixed},
	{name: "send-zc-fixed", what: "RECV, SEND_ZC from a registered buffer", send: sendZC},
	{name: "recv-fixed", what: "RECV into a registered buffer, IORING_RECVSEND_FIXED_BUF", recv: recvOwnFixed},
	{name: "send-fixed", what: "RECV, SEND from a registered buffer, IORING_RECVSEND_FIXED_BUF", send: sendPlainFixed},
	{name: "ring-fd", what: "IORING_REGISTER_RING_FDS; the registration is the thread's", ringFD: true, locked: true},
	{name: "coop-taskrun", what: "IORING_SETUP_COOP_TASKRUN", setup: coop},
	{name: "defer-taskrun", what: "IORING_SETUP_SINGLE_ISSUER and DEFER_TASKRUN, which need one thread", setup: deferTaskrun, locked: true},
	{name: "coop-multishot", what: "COOP_TASKRUN, multishot RECV, provided-buffer ring", setup: coop, recv: recvMultishotRing},
	{name: "coop-multishot-netpoll", what: "coop-multishot, waiting in Go's netpoller instead of io_uring_enter",
		setup: coop, recv: recvMultishotRing, netpoll: true},
	{name: "defer-multishot", what: "DEFER_TASKRUN, multishot RECV, provided-buffer ring", setup: deferTaskrun, recv: recvMultishotRing, locked: true},
	{name: "defer-everything", what: "defer-multishot with registered descriptors and ring descriptor", setup: deferTaskrun,
		recv: recvMultishotRing, files: true, ringFD: true, locked: true},
}
