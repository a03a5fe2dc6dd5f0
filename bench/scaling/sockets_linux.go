package main

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/bench/internal/load"
	"github.com/netring-go/netring/bench/internal/rounds"
)

// socketCalls measures what a batch is made of, in ns: sending an answer over a
// loopback connection, delivery to the peer included, and receiving one. Both
// ends take turns, so that acknowledgements travel with the next message.
func socketCalls(n int) (send, recv float64, err error) {
	a, b, err := connected()
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, unix.Close(a), unix.Close(b)) }()
	msg, buf := []byte(load.Answer), make([]byte, len(load.Answer))
	var sends, recvs []float64
	for range n {
		t0 := time.Now()
		if _, err := unix.Write(a, msg); err != nil {
			return 0, 0, os.NewSyscallError("write", err)
		}
		t1 := time.Now()
		if _, err := unix.Read(b, buf); err != nil { // a blocking socket, and it is there
			return 0, 0, os.NewSyscallError("read", err)
		}
		sends = append(sends, float64(t1.Sub(t0).Nanoseconds()))
		recvs = append(recvs, float64(time.Since(t1).Nanoseconds()))
		a, b = b, a
	}
	return rounds.Median(sends), rounds.Median(recvs), nil
}

// connected returns both ends of a loopback connection.
func connected() (a, b int, err error) {
	ln, port, err := load.Listen(1)
	if err != nil {
		return -1, -1, err
	}
	defer func() { err = errors.Join(err, unix.Close(ln)) }()
	if a, err = load.Dial(port); err != nil {
		return -1, -1, err
	}
	if b, _, err = unix.Accept4(ln, unix.SOCK_CLOEXEC); err != nil {
		return -1, -1, errors.Join(os.NewSyscallError("accept4", err), unix.Close(a))
	}
	return a, b, nil
}
