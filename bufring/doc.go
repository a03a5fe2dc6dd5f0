// Package bufring manages rings of receive buffers that the kernel picks from.
//
// A provided-buffer ring (IORING_REGISTER_PBUF_RING, Linux 5.19, see
// io_uring_register(2)) is an array of buffer descriptors shared with the
// kernel. A RECV submitted with IOSQE_BUFFER_SELECT names no buffer: the kernel
// takes the next one of the ring when data is there, and the completion says
// which. So one small pool of buffers serves any number of connections, and a
// connection that waits holds none.
//
// The same [Ring] also works without io_uring: then [Ring.Take] chooses the
// buffer in user space. netring's two engines thus share one read path.
//
// The package is part of netring's implementation and follows its needs; it is
// exported so that it can be read, tested and benchmarked on its own.
package bufring
