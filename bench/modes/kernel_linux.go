package main

// What iouring-go's syscall package lacks, from linux/io_uring.h, with the kernel
// version that brought it.
const (
	ioringSetupSingleIssuer = 1 << 12 // IORING_SETUP_SINGLE_ISSUER, Linux 6.0
	ioringSetupDeferTaskrun = 1 << 13 // IORING_SETUP_DEFER_TASKRUN, Linux 6.1

	ioringEnterRegisteredRing = 1 << 4 // IORING_ENTER_REGISTERED_RING, Linux 5.18

	ioringRegisterRingFDs = 20 // IORING_REGISTER_RING_FDS, Linux 5.18

	iosqeCQESkipSuccess = 1 << 6 // IOSQE_CQE_SKIP_SUCCESS, Linux 5.17

	ioringFileIndexAlloc = -1 // IORING_FILE_INDEX_ALLOC (~0U), Linux 5.19

	ioringRecvMultishot    = 1 << 1 // IORING_RECV_MULTISHOT, Linux 6.0
	ioringRecvsendFixedBuf = 1 << 2 // IORING_RECVSEND_FIXED_BUF, Linux 6.0

	ioringCQEFBuffer     = 1 << 0 // IORING_CQE_F_BUFFER, Linux 5.7
	ioringCQEFMore       = 1 << 1 // IORING_CQE_F_MORE, Linux 5.13
	ioringCQEFNotif      = 1 << 3 // IORING_CQE_F_NOTIF, Linux 6.0
	ioringCQEBufferShift = 16     // IORING_CQE_BUFFER_SHIFT, Linux 5.7
)
