// Package bufring manages rings of receive buffers, from which the kernel chooses.
//
// A provided-buffer ring (IORING_REGISTER_PBUF_RING, Linux 5.19, see
// io_uring_register(2)) is an array of buffer descriptors shared with the
// kernel. A RECV submitted with IOSQE_BUFFER_SELECT names no buffer. When data
// arrives, the kernel takes the next buffer of the ring, and the completion names
// that buffer. So a small pool of buffers serves any number of connections, and a
// waiting connection holds no buffer.
//
// A [Ring] also works without io_uring: then [Ring.Take] chooses the buffer in user
// space. So netring's two engines share one read path.
//
// The package is part of netring's implementation and may change with it.
package bufring
