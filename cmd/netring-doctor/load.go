package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// The load: each connection sends a message and waits for its echo, again and again.
const (
	messageSize = 128
	connections = 32
)

// loadEnv in the environment makes this program the load generator. Its value is an
// address and a duration, separated by a comma.
const loadEnv = "NETRING_DOCTOR_LOAD"

// startLoad runs the load generator as a child process, and returns how many messages
// came back, and in what time.
func startLoad(addr net.Addr, turn time.Duration) (messages int64, took time.Duration, err error) {
	exe, err := executable()
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s,%v", loadEnv, addr, turn))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("run the load generator: %w", err)
	}
	if _, err := fmt.Sscan(string(out), &messages, &took); err != nil || messages <= 0 || took <= 0 {
		return 0, 0, fmt.Errorf("the load generator printed %q instead of a number of messages and nanoseconds", out)
	}
	return messages, took, nil
}

// executable returns the path of this program. The link in /proc works even if the
// program's folder is out of reach for its user, or the file is gone.
func executable() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// runLoad is the load generator: it writes to out how many messages came back, and in
// how many nanoseconds. The time starts when all connections are there.
func runLoad(job string, out io.Writer) error {
	addr, d, ok := strings.Cut(job, ",")
	turn, err := time.ParseDuration(d)
	if !ok || err != nil {
		return fmt.Errorf("%s is %q; use an address and a duration, such as 127.0.0.1:80,1s", loadEnv, job)
	}
	conns := make([]net.Conn, connections)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", addr); err != nil {
			return err
		}
		defer conns[i].Close()
	}
	var total atomic.Int64
	errs := make(chan error, connections)
	start := time.Now()
	for _, c := range conns {
		go func() { errs <- ping(c, start.Add(turn), &total) }()
	}
	for range conns {
		err = errors.Join(err, <-errs)
	}
	took := time.Since(start)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, total.Load(), took.Nanoseconds())
	return err
}

// patience is how long an echo may take after the end of a turn. An engine that hangs must
// not make the doctor hang.
var patience = 10 * time.Second

// ping sends messages until end, at least one, and waits for the echo of each. It counts
// the echoes in total.
func ping(c net.Conn, end time.Time, total *atomic.Int64) error {
	if err := c.SetDeadline(end.Add(patience)); err != nil {
		return err
	}
	msg := make([]byte, messageSize)
	for {
		if _, err := c.Write(msg); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, msg); err != nil {
			return err
		}
		total.Add(1)
		if !time.Now().Before(end) {
			return nil
		}
	}
}
