package main

import (
	iouring "github.com/iceber/iouring-go/syscall"
)

// receiving is how requests are received.
type receiving int

const (
	recvOwn             receiving = iota // IORING_OP_RECV into the connection's buffer
	recvFixed                            // IORING_OP_READ_FIXED into it, registered
	recvOwnFixed                         // IORING_OP_RECV with IORING_RECVSEND_FIXED_BUF
	recvMultishotLegacy                  // multishot IORING_OP_RECV, buffers by IORING_OP_PROVIDE_BUFFERS
	recvMultishotRing                    // multishot IORING_OP_RECV, provided-buffer ring
)

func (r receiving) multishot() bool { return r == recvMultishotLegacy || r == recvMultishotRing }

// sending is how answers are sent.
type sending int

const (
	sendPlain      sending = iota // IORING_OP_SEND
	sendFixed                     // IORING_OP_WRITE_FIXED of the registered answer
	sendZC                        // IORING_OP_SEND_ZC with IORING_RECVSEND_FIXED_BUF
	sendPlainFixed                // IORING_OP_SEND with it
)

// ringMode is one way to run the ring.
type ringMode struct {
	name   string
	what   string
	setup  uint32 // IORING_SETUP flags
	async  bool   // IOSQE_ASYNC on receives and sends
	recv   receiving
	send   sending
	files  bool // registered descriptors: accepts go to a file table
	ringFD bool // the ring's own descriptor is registered
	locked bool // needs a locked thread
	// netpoll has the reactor wait for completions in Go's netpoller, as a parked
	// goroutine, instead of in io_uring_enter. It makes no sense for a loop, and
	// none on a locked thread.
	netpoll bool
}

const deferTaskrun = ioringSetupSingleIssuer | ioringSetupDeferTaskrun

// ringModes are the modes there are. Some ask for what kernels are known to refuse,
// to have it said by the kernel at hand.
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
	{name: "coop-taskrun", what: "IORING_SETUP_COOP_TASKRUN", setup: iouring.IORING_SETUP_COOP_TASKRUN},
	{name: "defer-taskrun", what: "IORING_SETUP_SINGLE_ISSUER and DEFER_TASKRUN, which need one thread", setup: deferTaskrun, locked: true},
	{name: "coop-multishot", what: "COOP_TASKRUN, multishot RECV, provided-buffer ring",
		setup: iouring.IORING_SETUP_COOP_TASKRUN, recv: recvMultishotRing},
	{name: "coop-multishot-netpoll", what: "coop-multishot, waiting in Go's netpoller instead of io_uring_enter",
		setup: iouring.IORING_SETUP_COOP_TASKRUN, recv: recvMultishotRing, netpoll: true},
	{name: "defer-multishot", what: "DEFER_TASKRUN, multishot RECV, provided-buffer ring", setup: deferTaskrun, recv: recvMultishotRing, locked: true},
	{name: "defer-everything", what: "defer-multishot with registered descriptors and ring descriptor", setup: deferTaskrun,
		recv: recvMultishotRing, files: true, ringFD: true, locked: true},
}

// The shapes of server.
const (
	shapeLoop       = "loop"
	shapeGoroutines = "goroutines"
)

// variant is one server to measure.
type variant struct {
	shape  string
	mode   string
	what   string
	thread string // threadLocked, threadUnlocked or threadAny
	needs  bool   // the mode needs the locked thread
	ring   *ringMode
}

const (
	threadLocked   = "locked"
	threadUnlocked = "unlocked"
	threadAny      = "any" // the runtime's choice
)

func (v variant) String() string { return v.shape + "/" + v.mode + "/" + v.thread }

// The modes that ratios are to.
const (
	modeEpoll          = "epoll"
	modeNet            = "net"
	modeNetringURing   = "netring-uring"
	modeNetringOne     = "netring-uring-one"
	modeNetringSyscall = "netring-syscall"
	modeReadiness      = "readiness"
)

// variants returns all there are. The first ones of each shape are the base lines.
func variants() (vs []variant) {
	both := []string{threadUnlocked, threadLocked}
	for _, t := range both {
		vs = append(vs, variant{shape: shapeLoop, mode: modeEpoll, what: "epoll_wait, recv, send", thread: t})
	}
	vs = append(vs, variant{shape: shapeLoop, mode: modeNet, what: "package net, a goroutine per connection", thread: threadAny})
	for _, t := range both {
		vs = append(vs, variant{shape: shapeLoop, mode: modeReadiness, what: "epoll_wait, then the ready RECVs as one batch and their SENDs as the next (the library's design)", thread: t})
	}
	vs = append(vs,
		variant{shape: shapeGoroutines, mode: modeNet, what: "package net", thread: threadAny},
		variant{shape: shapeGoroutines, mode: modeNetringURing, what: "netring.Listen, ring engine", thread: threadAny},
		variant{shape: shapeGoroutines, mode: modeNetringOne, what: "netring.Listen, ring engine, one reactor for connections whatever the number of Ps, as the other modes have", thread: threadAny},
		variant{shape: shapeGoroutines, mode: modeNetringSyscall, what: "netring.Listen, syscall engine", thread: threadAny})
	for _, shape := range []string{shapeLoop, shapeGoroutines} {
		for i := range ringModes {
			m := &ringModes[i]
			for _, t := range both {
				if m.locked && t == threadUnlocked || m.netpoll && (t == threadLocked || shape == shapeLoop) {
					continue
				}
				vs = append(vs, variant{shape, m.name, m.what, t, m.locked, m})
			}
		}
	}
	return vs
}
